"""Settings of the board, the project that the harness serves, writes to and judges.

One environment variable has the settings that differ between rounds; see `Site`.
"""

from __future__ import annotations

import dj_database_url

from tests.convergence.sabotage import NO_OUTBOX
from tests.convergence.site import Site

SITE = Site.of_environment()

SECRET_KEY = "not a secret: used by tests only"
DEBUG = False
# Each server has a port of its own, and clients send it in `Host`.
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
# It sets Content-Length, by which a client notices an incomplete response.
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
    # Short, so that many clients reconnect with an expired ticket.
    "TICKET_AGE": 5,
    # Long, since rechecks would hide dependencies that the rules do not name.
    "RECHECK": 3600,
    # Short, so that a connection that is silently dead is noticed within a short round.
    "HEARTBEAT": SITE.heartbeat,
    "OUTBOX": SITE.sabotage != NO_OUTBOX,
}
if not SITE.faultless:
    # Short, so that the rows of a killed process are sent soon. In a round without faults a sweep
    # would only resend rows that wait for the writer's lock to be deleted.
    REALTIME["OUTBOX_SWEEP"] = 1

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False}},
}
