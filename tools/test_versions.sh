#!/bin/sh
# Run the tests that depend on Django on each version that pyproject.toml allows beside the one in
# .venv, in environments of their own: `sh tools/test_versions.sh 6.0 6.1`. The last version named, the
# newest, also runs those of the ORM's writes on PostgreSQL.
set -eu
here=$(dirname "$0")

for version in "$@"; do
  python=$(sh "$here/django_venv.sh" "$version")
  # Empty where no Python is new enough and MISSING_IS allows that.
  [ -n "$python" ] || exit 0
  echo "Testing with $("$python" -c 'import django, sys; print("Django", django.__version__, "on Python", sys.version.split()[0])')"
  "$python" -m pytest -n "${JOBS:-2}" --dist worksteal $DJANGO_TESTS ${PYTEST_ARGS:-}
done
"$python" "$here/postgres.py" "$python" -m pytest -n "${JOBS:-2}" --dist worksteal \
  -m "not packaging and not sqlite and not long" tests/invalidation ${PYTEST_ARGS:-}
