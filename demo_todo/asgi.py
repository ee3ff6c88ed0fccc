"""The demo as an ASGI application: Django's pages, and the WebSocket that keeps them up to date."""

import os

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

from realtime.asgi import with_websockets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_todo.settings")
pages = get_asgi_application()
# In development any ASGI server also serves the static files, as `runserver` does.
application = with_websockets(ASGIStaticFilesHandler(pages) if settings.DEBUG else pages)
