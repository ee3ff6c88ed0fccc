"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.contrib.auth.signals import user_logged_out
from django.core.signals import request_started, setting_changed
from django.db.models.signals import post_delete, post_migrate, post_save
from django.utils.module_loading import autodiscover_modules


class RealtimeConfig(AppConfig):
    """Finds every app's `live.py`, as the admin finds `admin.py`."""

    name = "realtime"
    verbose_name = "Realtime"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register checks and frame handlers, and read the declarations."""
        # Models and what imports them can be loaded only now.
        from realtime import checks  # noqa: F401, PLC0415 -- they register themselves
        from realtime.access import signals  # noqa: PLC0415
        from realtime.access.identity import user_model  # noqa: PLC0415
        from realtime.backends import forget_pubsub, tables  # noqa: PLC0415
        from realtime.conf import conf  # noqa: PLC0415
        from realtime.connections.revocation import revocation  # noqa: PLC0415
        from realtime.hub import observers  # noqa: PLC0415
        from realtime.metrics import install  # noqa: PLC0415
        from realtime.pages.replicas import forget  # noqa: PLC0415
        from realtime.status.answering import Answering  # noqa: PLC0415

        observers.register(Answering())
        observers.register(revocation)
        uid = "realtime.access"
        user_logged_out.connect(signals.logged_out, dispatch_uid=uid)
        # Proxies and children speak for themselves alone.
        users = user_model()
        for model in [each for each in apps.get_models() if users and issubclass(each, users)]:
            for signal in (post_save, post_delete):
                signal.connect(signals.user_changed, sender=model, dispatch_uid=uid)
        post_migrate.connect(tables.ask_again, sender=self, dispatch_uid="realtime.tables")
        setting_changed.connect(forget_pubsub, dispatch_uid="realtime.backends")
        setting_changed.connect(conf.forget, dispatch_uid="realtime.conf")
        request_started.connect(forget, dispatch_uid="realtime.pages.replicas")
        if conf.METRICS:
            install()
        autodiscover_modules("live")
