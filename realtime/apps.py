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
        """Register checks, signals and frame handlers, and import the declarations."""
        # Imported here since models can be loaded only now.
        from realtime import checks  # noqa: F401, PLC0415 -- they register themselves
        from realtime.access import signals  # noqa: PLC0415
        from realtime.access.identity import user_model  # noqa: PLC0415
        from realtime.backends import forget_pubsub, tables  # noqa: PLC0415
        from realtime.conf import conf  # noqa: PLC0415
        from realtime.connections import subscribe  # noqa: F401, PLC0415 -- it registers handlers
        from realtime.hub import observers  # noqa: PLC0415
        from realtime.ops.rpc import Answering  # noqa: PLC0415
        from realtime.pages.replicas import forget  # noqa: PLC0415

        observers.register(Answering())
        uid = "realtime.access"
        user_logged_out.connect(signals.logged_out, dispatch_uid=uid)
        # `sender` matches one class only, so proxies and child models are connected too.
        users = user_model()
        for model in [each for each in apps.get_models() if users and issubclass(each, users)]:
            for signal in (post_save, post_delete):
                signal.connect(signals.user_changed, sender=model, dispatch_uid=uid)
        post_migrate.connect(tables.ask_again, sender=self, dispatch_uid="realtime.record_table")
        setting_changed.connect(forget_pubsub, dispatch_uid="realtime.backends")
        setting_changed.connect(conf.forget, dispatch_uid="realtime.conf")
        request_started.connect(forget, dispatch_uid="realtime.fresh")
        if conf.METRICS:
            _register_metrics()
        autodiscover_modules("live")


def _register_metrics() -> None:
    """Register the metrics with Prometheus's default registry, if prometheus-client is there."""
    try:
        from realtime.ops.prometheus import register  # noqa: PLC0415 -- it is optional
    except ImportError:
        return
    register()
