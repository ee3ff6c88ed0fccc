"""Create a database with a logged-in user: `python -m benchmarks.sockets.session FILE`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Create it, and print the user's cookie."""
    os.environ["BENCH_DB"] = sys.argv[1]
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.sockets.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("ada")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")


if __name__ == "__main__":
    main()
