"""Settings of the board, the small project that the harness serves, writes to and judges.

Everything that differs between rounds comes in one environment variable; see `Site`.
"""

from __future__ import annotations

import dj_database_url

from tests.convergence.sabotage import NO_OUTBOX
from tests.convergence.site import Site

SITE = Site.of_environment()

SECRET_KEY = "of no use to anybody"
DEBUG = False
# The clients come by a different port to each server.
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "realtime",
    "invalidation",
    "tests.convergence.board",
]
# It sets Content-Length, by which a client notices that an answer was cut off.
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "tests.convergence.board.people.as_person",
]
ROOT_URLCONF = "tests.convergence.board.urls"
ASGI_APPLICATION = "tests.convergence.board.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

if SITE.database.startswith("postgres"):
    DATABASES = {"default": dj_database_url.parse(SITE.database, conn_health_checks=True)}
    DATABASES["default"].setdefault("OPTIONS", {})["connect_timeout"] = 5
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": SITE.database,
            "OPTIONS": {
                # Processes are killed here, not machines.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
            },
        }
    }

REALTIME = {
    "PUBSUB": SITE.pubsub(),
    "ALLOW_ANONYMOUS": True,
    "AUTHENTICATE": "tests.convergence.board.people.person_of",
    # So short that many connections are lost with one that is too old for the next.
    "TICKET_AGE": 5,
    # The net would find, late, what rules do not say that they depend on.
    "RECHECK": 3600,
    # So short that a connection that is dead without a word is noticed within a short run.
    "HEARTBEAT": SITE.heartbeat,
    "OUTBOX": SITE.sabotage != NO_OUTBOX,
}
if not SITE.faultless:
    # What a process that was killed has left behind is found soon. Where nothing goes wrong that
    # would only be to send again what waits for the writer's lock to be deleted.
    REALTIME["OUTBOX_SWEEP"] = 1

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False}},
}
