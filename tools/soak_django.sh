#!/bin/sh
# Run Django's own tests tracked beside untracked: `sh tools/soak_django.sh PYTHON VERSION`, with PYTHON's
# Django and with the other VERSION, on both databases, with and without triggers on every table.
# APPS names some of Django's test apps; without it all are run, for hours. An interrupted run continues.
set -eu
here=$(dirname "$0")
other=$(sh "$here/django_venv.sh" "$2")

failed=0
for python in "$1" "$other"; do
  for triggers in "" --triggers; do
    suite="-m tests.django_suite --write --jobs ${JOBS:-2} $triggers ${APPS:---all}"
    "$python" $suite --database sqlite || failed=1
    "$python" "$here/postgres.py" "$python" $suite --database postgres || failed=1
  done
done
exit $failed
