"""Settings of the child processes; `runtests.py` sets what is not here."""

from __future__ import annotations

import os
from typing import Any

import dj_database_url

NAME = os.environ["DJANGO_SUITE_NAME"]
"""A name of this process's own for its databases."""

SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = False
TEST_RUNNER = "tests.django_suite.outcomes.Runner"


def _database(alias: str) -> dict[str, Any]:
    if os.environ["DJANGO_SUITE_DATABASE"] == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3"}
    return dj_database_url.config() | {"NAME": f"{NAME}_{alias}"}


DATABASES = {alias: _database(alias) for alias in ("default", "other")}
REALTIME = {
    "PUBSUB": {
        "BACKEND": "realtime.backends.database.DatabasePubSub",
        "OPTIONS": {"aliases": ["default", "other"]},
    }
}
