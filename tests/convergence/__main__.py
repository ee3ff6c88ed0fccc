"""The command `python -m tests.convergence`; see `tests.convergence.soak`."""

from __future__ import annotations

import os
import sys

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    # It imports models, which Django must have set up.
    from tests.convergence.soak import main

    sys.exit(main())
