"""The library of template tags for `{% load realtime %}`, to which other packages add theirs.

Another package adds a tag in `AppConfig.ready()`, as to any Django library:
`library.tag("name", compile_function)`, `@library.simple_tag`. A name that is taken raises
AlreadyRegistered.
"""

from __future__ import annotations

from django import template

from realtime.registry import Registry

library = template.Library()
library.tags = Registry("template tag")
library.filters = Registry("template filter")
