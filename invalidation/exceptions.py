"""What `invalidation` raises.

InvalidationError
├── BadDeclaration  (also an ImproperlyConfigured)  `track()` was given what cannot be tracked
└── NotRead         (also an AttributeError)  a topic function asked for a column not in `reads`
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured


class InvalidationError(Exception):
    """The base of every error of this package."""


class BadDeclaration(InvalidationError, ImproperlyConfigured):
    """A declaration in a live.py names what does not exist, or cannot be kept."""


class NotRead(InvalidationError, AttributeError):
    """A topic function asked its row for something that it did not declare."""
