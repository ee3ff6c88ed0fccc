"""Django's own tests, run with every model tracked beside a run without tracking.

`python -m tests.django_suite` runs them; `make soak-django` on both databases, with and without
triggers, on Django 5.2 and the newest version. A test app is a *unit*; each runs in two processes
of its own, one with and one without tracking. A test that ends otherwise in the two is a
difference. In the tracked process a *shadow* compares the tables around each ORM write, by plain
SQL, with the changes that capture noted.

`sources` fetches the tests; `child` runs in the processes; `units` starts them and keeps their
results, so that an interrupted run continues; `compare` finds differences; `figures` writes
docs/reference/django-suite.json.
"""
