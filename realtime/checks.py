"""System checks: settings that cannot work, and another package named `realtime`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import metadata
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.db import router
from django.utils.module_loading import import_string

from realtime.backends import get_pubsub
from realtime.conf import Defaults, conf
from realtime.exceptions import BackendMissing
from realtime.pages.replicas import FreshReads

DISTRIBUTION = "django-livequery"


@register
def check_settings(**_: Any) -> list[CheckMessage]:
    """Report unknown names and invalid values in `REALTIME`."""
    return check_conf("REALTIME", Defaults, "realtime")


@register
def check_backend(**_: Any) -> list[CheckMessage]:
    """Make the backend, and run its own checks."""
    if not isinstance(getattr(settings, "REALTIME", {}), Mapping):
        return []  # `check_settings` reports this
    try:
        return get_pubsub().check()
    except BackendMissing as error:
        hint = "See docs/reference/settings.md for the backends and their options."
        return [Error(str(error), hint=hint, id="realtime.E002")]


@register
def check_package(**_: Any) -> list[CheckMessage]:
    """Report another distribution that installs a package `realtime` over this one."""
    owners = set(metadata.packages_distributions().get("realtime", ())) - {DISTRIBUTION}
    return [
        checks.Warning(
            f"the distribution {owner!r} installs a package 'realtime' too, and may have"
            f" overwritten files of {DISTRIBUTION}",
            hint=f"Uninstall {owner}, then reinstall {DISTRIBUTION}.",
            id="realtime.W001",
        )
        for owner in sorted(owners)
    ]


@register
def check_routers(**_: Any) -> list[CheckMessage]:
    """Report replicas whose reads could be older than the page's position."""
    reading = [each for each in router.routers if hasattr(each, "db_for_read")]
    if not reading or isinstance(reading[0], FreshReads):
        return []
    for model in apps.get_models():
        read, written = router.db_for_read(model), router.db_for_write(model)
        if read != written:
            what = (
                f"{model._meta.label} is read from {read!r} and written on {written!r}: a live page"
                " may read data older than its position, and stays stale"
            )
            hint = 'Put "realtime.pages.replicas.FreshReads" first in DATABASE_ROUTERS.'
            return [checks.Warning(what, hint=hint, id="realtime.W003")]
    return []


def check_conf(setting: str, defaults: type[Any], package: str) -> list[CheckMessage]:
    """Check `settings.<setting>` against its defaults; ids are `<package>.E001` and `.E005`."""
    given = getattr(settings, setting, {})
    if not isinstance(given, Mapping):
        what = f"expected settings.{setting} to be a dict, got {given!r}"
        return [Error(what, hint=f"Write {setting} = {{…}}.", id=f"{package}.E001")]
    known = {field.name: str(field.type) for field in fields(defaults)}
    hint = f"The settings are {', '.join(sorted(known))}."
    problems: list[CheckMessage] = []
    for name, value in given.items():
        if name not in known:
            what = f"there is no setting {setting}[{name!r}]"
            problems.append(Error(what, hint=hint, id=f"{package}.E001"))
        elif expected := _unmet(known[name], value):
            what = f"expected {setting}[{name!r}] to be {expected}, got {value!r}"
            problems.append(Error(what, hint="Correct or remove it.", id=f"{package}.E005"))
    return problems


def _unmet(kind: str, value: object) -> str | None:
    """Return what a setting of type `kind` must be, or None if `value` is valid."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    match kind:
        case "bool":
            return None if isinstance(value, bool) else "True or False"
        case "int":
            return None if number and isinstance(value, int) else "a whole number above 0"
        case "Threshold":
            off = value == 0 and isinstance(value, int) and not isinstance(value, bool)
            whole = number and isinstance(value, int)
            return None if off or whole else "a whole number, or 0 for never"
        case "float":
            return None if number else "a number above 0"
    return None


@register
def check_authenticate(**_: Any) -> list[CheckMessage]:
    """Import the function that finds users: without it no client could connect."""
    if not isinstance(getattr(settings, "REALTIME", {}), Mapping):
        return []  # `check_settings` reports this
    path = conf.AUTHENTICATE
    try:
        found = import_string(path)
    except (ImportError, AttributeError, TypeError) as error:
        what = f"REALTIME['AUTHENTICATE'] = {path!r} cannot be imported: {error}"
    else:
        if callable(found):
            return []
        what = f"expected REALTIME['AUTHENTICATE'] to name a function, got {found!r}"
    hint = "Name a function that is given an ASGI scope and returns a user or None."
    return [Error(what, hint=hint, id="realtime.E008")]


@register(deploy=True)
def check_origins(**_: Any) -> list[CheckMessage]:
    """Report that every origin is allowed."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    what = (
        "ALLOWED_HOSTS allows every host, so pages of every site may open websockets with the"
        " cookies of their visitors"
    )
    return [checks.Warning(what, hint="Name the hosts of this site.", id="realtime.W007")]
