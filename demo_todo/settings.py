"""Settings of the demo project: SQLite or DATABASE_URL, all pages behind a login."""

import os
from pathlib import Path
from typing import Any

import dj_database_url

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("SECRET_KEY", "insecure, and for the demo only")
DEBUG = os.environ.get("DEBUG", "1").lower() not in {"", "0", "false", "no", "off"}
_hosts = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
ALLOWED_HOSTS = [host.strip() for host in (*_hosts, os.environ.get("HOST", "")) if host.strip()]

INSTALLED_APPS = [
    "daphne",  # first: its `runserver` serves ASGI, so that WebSockets work in development
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "realtime",
    "invalidation",
    "demo_todo",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "demo_todo.urls"
ASGI_APPLICATION = "demo_todo.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DEMO_DB", BASE_DIR / "demo.sqlite3"),
        "OPTIONS": {
            # WAL: readers do not wait for the writer. IMMEDIATE: a transaction that reads before
            # it writes waits for the lock, instead of failing with "database is locked".
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },
    }
}
if "DATABASE_URL" in os.environ:
    DATABASES = {"default": dj_database_url.config(conn_health_checks=True)}
if "REDIS_URL" in os.environ:  # one URL, or several of a cluster, separated by commas
    _redis = {"url": os.environ["REDIS_URL"].split(",")}
    REALTIME = {"PUBSUB": {"BACKEND": "realtime.backends.redis.RedisPubSub", "OPTIONS": _redis}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "index"
TIME_ZONE = "UTC"
STATIC_URL = "static/"
