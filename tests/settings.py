"""Settings of the tests: the demo project's, on a database file of this test run.

The file is a real one, not in-memory SQLite: servers in other threads and processes open it too. A
test passes it on as DEMO_DB=connection.settings_dict["NAME"] in the server's environment.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from demo_todo.settings import *  # noqa: F403
from demo_todo.settings import DATABASES, INSTALLED_APPS


def _folder_of_this_run() -> Path:
    # xdist's workers inherit the controller's folder; pytest-django distinguishes their files by
    # name. The process that made the folder removes it.
    if folder := os.environ.get("TEST_RUN_FOLDER"):
        return Path(folder)
    folder = tempfile.mkdtemp(prefix="livequery-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["TEST_RUN_FOLDER"] = folder
    return Path(folder)


# mypy reads these settings too; it has no database, and would not remove the folder.
if "PYTEST_VERSION" in os.environ and DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": str(_folder_of_this_run() / "tests.sqlite3")}

INSTALLED_APPS += ["tests.shop", "tests.depot", "examples.tokens"]
# The shop has no migrations, so its tables are made before those of apps that have. The targets of
# its foreign keys must be made with it: PostgreSQL requires them.
MIGRATION_MODULES = {"auth": None, "contenttypes": None}

SILENCED_SYSTEM_CHECKS = [
    "invalidation.W002",  # the shop leaves deletes to the database, for some tests
    # The demo's migrations make triggers for its own tables. The shop has some where a test makes
    # them, and none where a test checks raw SQL without them.
    "invalidation.W003",
]

# Real hashers are slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
