"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig


class InvalidationConfig(AppConfig):
    """Captures writes from here on."""

    name = "invalidation"
    verbose_name = "Invalidation"

    def ready(self) -> None:
        """Install the seam and register the checks."""
        from invalidation import capture, checks  # noqa: F401, PLC0415 -- checks register themselves
        from invalidation.triggers import checks as of_triggers  # noqa: F401, PLC0415

        capture.install()
