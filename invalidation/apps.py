"""The app's configuration: capture is installed when the app is ready."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.signals import setting_changed

from realtime.hub import observers


class InvalidationConfig(AppConfig):
    """The Django app; writes are captured from its `ready()` on."""

    name = "invalidation"
    verbose_name = "Invalidation"

    def ready(self) -> None:
        """Install capture and connect the observers, signal receivers and system checks."""
        from invalidation import capture, checks  # noqa: F401, PLC0415 -- checks register themselves
        from invalidation.conf import conf  # noqa: PLC0415
        from invalidation.signals import rows_changed, users_written  # noqa: PLC0415
        from invalidation.tracking.foreign_code import ForeignCode  # noqa: PLC0415
        from invalidation.triggers import checks as trigger_checks  # noqa: F401, PLC0415
        from realtime.access.identity import user_model  # noqa: PLC0415
        from realtime.ops.log_level import LOGGERS  # noqa: PLC0415

        capture.install()
        observers.register(ForeignCode())
        LOGGERS["invalidation"] = "captured writes, and the messages published for them"
        if users := user_model():
            rows_changed.connect(users_written, sender=users, dispatch_uid="invalidation.signals")
        setting_changed.connect(conf.forget, dispatch_uid="invalidation.conf")
