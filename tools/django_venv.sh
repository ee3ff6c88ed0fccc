#!/bin/sh
# Make the environment of another Django version and print its Python: `sh tools/django_venv.sh 6.1`.
# Django 6 needs Python 3.12. Without it the script says so and fails, or exits with MISSING_IS if that is set.
set -eu
version=$1
venv=.venv-django-$version

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
  echo "Not tested: Django $version. It needs Python 3.12 or newer, which was not found; install one, or" \
    "name it: PYTHON_FOR_DJANGO_6=/path/to/python3.13" >&2
  exit "${MISSING_IS:-1}"
fi
if [ ! -x "$venv/bin/python" ]; then
  echo "Making $venv with $python" >&2
  "$python" -m venv "$venv"
fi
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --upgrade "pip>=25.1"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check \
  --editable '.[demo]' --group test "Django~=$version.0"
echo "$venv/bin/python"
