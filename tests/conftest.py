"""What every test shares."""

from __future__ import annotations

from tests import hypothesis_profiles  # noqa: F401 -- registers and loads the profile
