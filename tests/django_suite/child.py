"""One process: runs one test app of Django, with or without tracking, and writes its outcomes.

`python -m tests.django_suite.child OPTIONS`, with a JSON object of `Options` as its one argument.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from tests.django_suite.options import Options


def main(options: Options) -> int:
    """Run the tests; return the exit code, which is 0 whatever their outcomes."""
    from tests.django_suite import outcomes

    outcomes.Runner.options = options
    os.chdir(options.tests)
    sys.path.insert(0, options.tests)
    with tempfile.TemporaryDirectory(prefix="django_") as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django_suite.settings"
        import runtests

        # The process without tracking has the app `realtime` too: a table and its signals. Capture
        # is the difference.
        runtests.ALWAYS_INSTALLED_APPS += ["realtime"]
        if options.tracked:
            runtests.ALWAYS_INSTALLED_APPS += ["invalidation"]
        runtests.django_tests(
            verbosity=1,
            interactive=False,
            failfast=False,
            keepdb=False,
            reverse=False,
            test_labels=options.labels,
            debug_sql=False,
            parallel=1,
            tags=None,
            exclude_tags=["selenium"],
            test_name_patterns=None,
            start_at=None,
            start_after=None,
            pdb=False,
            buffer=False,
            timing=False,
            shuffle=False,
        )
        Path(options.result).write_text(json.dumps(outcomes.result(), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(Options(**json.loads(sys.argv[1]))))
