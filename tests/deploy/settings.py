"""The board's settings, for a site that serves live data over HTTP too and stands behind nginx."""

from tests.convergence.settings import *  # noqa: F403

ROOT_URLCONF = "tests.deploy.urls"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
