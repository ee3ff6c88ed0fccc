"""Use the `told` fixture of the capture tests."""

from tests.invalidation.capture.conftest import told  # noqa: F401 -- a fixture
