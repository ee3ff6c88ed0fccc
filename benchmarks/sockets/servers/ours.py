"""A project with this app, and a rule that allows every topic."""

from django.core.asgi import get_asgi_application

pages = get_asgi_application()

from realtime import allow  # noqa: E402 -- Django had to be set up
from realtime.asgi import with_websockets  # noqa: E402


@allow("row")
def may_watch(user: object, number: int) -> bool:
    return True


application = with_websockets(pages)
