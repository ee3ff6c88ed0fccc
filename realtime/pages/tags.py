"""The template tags that `{% load realtime %}` gives, of this package and of others.

Another package adds a tag in `AppConfig.ready()`, as to any library of Django's:
`library.tag("name", compile_function)`, `@library.simple_tag`. A tag or filter of a name that is
taken raises AlreadyRegistered.
"""

from __future__ import annotations

from django import template

from realtime.registry import Registry

library = template.Library()
library.tags = Registry("template tag")
library.filters = Registry("template filter")
