"""Fail with one line if HOST PORT cannot be bound: `python tools/check_port.py 127.0.0.1 8000`.

Django's server with its reloader would print the reason and then hang.
"""

import socket
import sys


def main(host: str, port: str) -> str | None:
    """Return the error, or None if the port is free."""
    try:
        socket.create_server((host, int(port))).close()
    except (OSError, OverflowError, ValueError) as error:
        return f"error: cannot listen on {host}:{port} ({error}). Choose: make demo PORT=8001"
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
