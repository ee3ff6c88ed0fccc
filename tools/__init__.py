"""Programs for contributors to django-livequery; the tests use them too."""
