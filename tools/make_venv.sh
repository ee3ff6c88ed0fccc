#!/bin/sh
# Make the virtual environment $1 with a pip that supports dependency groups. A working one is kept.
set -eu
venv=$1

if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  python=$(sh "$(dirname "$0")/find_python.sh")
  echo "Making $venv with $python"
  "$python" -m venv --clear "$venv"
fi
# pip supports --group from 25.1 on; Debian's Python has an older pip.
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --upgrade "pip>=25.1"
