"""The tests of transactions look at what is told as those of capture do."""

from tests.invalidation.capture.conftest import told  # noqa: F401 -- a fixture
