"""The exceptions of `invalidation`.

InvalidationError
├── BadDeclaration  (also an ImproperlyConfigured)  `track()` was given what cannot be tracked
├── NotRead         (also an AttributeError)  a topic function read a column not in `reads`
└── NotTracked      (also a LookupError)  an operation needs a tracked model
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured


class InvalidationError(Exception):
    """The base class of this package's exceptions."""


class BadDeclaration(InvalidationError, ImproperlyConfigured):
    """A declaration in a live.py names something that does not exist, or cannot be honoured."""


class NotRead(InvalidationError, AttributeError):
    """A topic function read a column that `reads` does not declare, or set one."""


class NotTracked(InvalidationError, LookupError):
    """`invalidate()` or `explain_change` was given rows of a model that is not tracked."""
