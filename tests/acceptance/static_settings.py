"""The demo's settings for a site that serves what `collectstatic` has made, by whitenoise."""

import os

from demo_todo.settings import *  # noqa: F403
from demo_todo.settings import MIDDLEWARE as DEMO_MIDDLEWARE

DEBUG = False
MIDDLEWARE = [
    DEMO_MIDDLEWARE[0],
    "whitenoise.middleware.WhiteNoiseMiddleware",
    *DEMO_MIDDLEWARE[1:],
]
STATIC_ROOT = os.environ["STATIC_ROOT"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": os.environ["STATICFILES_BACKEND"]},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
