#!/bin/sh
# Print a Python that can make the project's virtual environment, or fail with one line on what to install.
# Order of search: $PYTHON, python3, python3.13, python3.12, python3.11.
set -u

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }
give_up() { echo "error: $1" >&2; exit 1; }

without_venv=
for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
  is_new_enough "$python" || continue
  if has_venv "$python"; then
    command -v "$python"
    exit 0
  fi
  without_venv=${without_venv:-$python}
done

[ -z "$without_venv" ] || give_up \
  "$without_venv lacks the venv module: install it (Debian/Ubuntu: apt-get install python3-venv)."
[ -z "${PYTHON:-}" ] || give_up "PYTHON=$PYTHON is not a Python 3.11 or newer."
give_up "no Python 3.11 or newer was found: install one, or name it: make PYTHON=/path/to/python3"
