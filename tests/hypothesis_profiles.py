"""Hypothesis profiles, chosen by HYPOTHESIS_PROFILE: `default` for `make test`, `soak` for proofs.

`tests/conftest.py` imports this module; importing it loads the chosen profile.
"""

import os

from hypothesis import HealthCheck, settings

# Deadlines measure the machine, not the code.
settings.register_profile("default", max_examples=100, deadline=None)
settings.register_profile(
    "soak",
    max_examples=int(os.environ.get("SOAK_EXAMPLES") or 20_000),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
