"""Programs for those who work on django-livequery; the tests use them too."""
