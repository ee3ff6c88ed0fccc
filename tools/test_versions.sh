#!/bin/sh
# Run the tests that depend on Django on each version that pyproject.toml allows beside the one in
# .venv, in environments of their own: `sh tools/test_versions.sh 6.0 6.1`. The last version named, the
# newest, also runs them on PostgreSQL. They need Python 3.12. Without it the script says so and fails,
# or exits with MISSING_IS if that is set.
set -eu
here=$(dirname "$0")

find_python() {
  for python in ${PYTHON_FOR_DJANGO_6:-python3.12 python3.13 python3.14} \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
}

python=$(find_python)
if [ -z "$python" ]; then
  echo "Not tested: Django $*. They need Python 3.12 or newer, which was not found; install one, or" \
    "name it: PYTHON_FOR_DJANGO_6=/path/to/python3.13"
  exit "${MISSING_IS:-1}"
fi

for version in "$@"; do
  venv=.venv-django-$version
  if [ ! -x "$venv/bin/python" ]; then
    echo "Making $venv with $python"
    "$python" -m venv "$venv"
  fi
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --upgrade "pip>=25.1"
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check \
    --editable '.[demo]' --group test "Django~=$version.0"
  echo "Testing with $("$venv/bin/python" -c 'import django, sys; print("Django", django.__version__, "on Python", sys.version.split()[0])')"
  "$venv/bin/python" -m pytest -n "${JOBS:-2}" --dist worksteal $DJANGO_TESTS ${PYTEST_ARGS:-}
done
"$venv/bin/python" "$here/postgres.py" "$venv/bin/python" -m pytest -n "${JOBS:-2}" --dist worksteal \
  -m "not packaging and not sqlite and not long" $DJANGO_TESTS ${PYTEST_ARGS:-}
