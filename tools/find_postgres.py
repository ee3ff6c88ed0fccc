"""Find PostgreSQL's programs: `python tools/find_postgres.py` prints their folder.

Looked for on PATH, then where Debian keeps them off it, newest first.
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
    """There is no PostgreSQL to run the tests with."""


def find_postgres() -> Path:
    """Return the folder of `initdb` and `postgres`; raise `PostgresMissing`, saying how to get it.

    Only the programs are looked for: a server that runs already is somebody else's.
    """
    on_path = [shutil.which("initdb")]
    off_path = sorted(Path("/").glob(OFF_PATH), key=_version, reverse=True)
    for initdb in (*on_path, *off_path):
        # The real path: a distribution may link to programs that stand elsewhere together.
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
