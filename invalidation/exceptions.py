"""What `invalidation` raises.

InvalidationError
├── BadDeclaration  (also an ImproperlyConfigured)  `track()` was given what cannot be tracked
├── NotRead         (also an AttributeError)  a topic function asked for a column not in `reads`
└── NotTracked      (also a LookupError)  something was asked of a model that nobody tracks
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured


class InvalidationError(Exception):
    """The base of every error of this package."""


class BadDeclaration(InvalidationError, ImproperlyConfigured):
    """A declaration in a live.py names what does not exist, or cannot be kept."""


class NotRead(InvalidationError, AttributeError):
    """A topic function asked its row for something that it did not declare."""


class NotTracked(InvalidationError, LookupError):
    """A row was to be told, or explained, whose model is not tracked."""
