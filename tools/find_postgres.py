"""Find PostgreSQL's programs: `python tools/find_postgres.py` prints their folder.

Order of search: PATH, then Debian's folders outside of PATH, newest version first.
"""

import os
import shutil
import sys
from pathlib import Path

OFF_PATH = "usr/lib/postgresql/*/bin/initdb"
HOW_TO_INSTALL = (
    "install it (Debian/Ubuntu: apt-get install postgresql),"
    " or set DATABASE_URL=postgres://… to a server whose user may create databases"
)


class PostgresMissing(Exception):
    """No PostgreSQL was found for the tests."""


def find_postgres() -> Path:
    """Return the folder of `initdb` and `postgres`; raise `PostgresMissing` if there is none.

    The error says how to install it. A running server is not used: it belongs to another program.
    """
    on_path = [shutil.which("initdb")]
    off_path = sorted(Path("/").glob(OFF_PATH), key=_version, reverse=True)
    for initdb in (*on_path, *off_path):
        # The real path: a distribution may link single programs into the folder.
        folder = Path(os.path.realpath(initdb)).parent if initdb else None
        if folder and os.access(folder / "postgres", os.X_OK):
            return folder
    raise PostgresMissing(f"PostgreSQL is missing: {HOW_TO_INSTALL}.")


def _version(initdb: Path) -> float:
    number = initdb.parent.parent.name
    return float(number) if number.replace(".", "", 1).isdecimal() else 0


if __name__ == "__main__":
    try:
        print(find_postgres())
    except PostgresMissing as error:
        sys.exit(f"error: {error}")
