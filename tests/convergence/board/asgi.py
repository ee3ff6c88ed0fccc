"""The board's ASGI application, wrapped in the round's sabotage if there is one."""

from django.conf import settings
from django.core.asgi import get_asgi_application

from realtime.asgi import with_websockets
from tests.convergence.sabotage import SABOTAGES

application = with_websockets(get_asgi_application())
if settings.SITE.sabotage in SABOTAGES:
    application = SABOTAGES[settings.SITE.sabotage](application)
