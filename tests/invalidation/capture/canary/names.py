"""The methods that Django has, found by introspection, and those of them that only read.

Each of the others has a case in `cases`, which shows its messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Manager, Model, QuerySet

from tests.shop.models import Product, Shelf, Sign, Tag

Version = tuple[int, int]

SINCE: dict[str, Version] = {"NotUpdated": (6, 0), "fetch_mode": (6, 1), "set_base": (6, 1)}
"""Names that came with a Django later than the oldest supported."""

UNTIL: dict[str, Version] = {"get_prefetch_queryset": (6, 0)}
"""Names that a supported Django does not have any more."""


def public(thing: Any) -> set[str]:
    """Return the names of public callables."""
    return {n for n in dir(thing) if not n.startswith("_") and callable(getattr(thing, n, None))}


def of_related(manager: Any) -> set[str]:
    """Return the names that a related manager adds or overrides."""
    default = manager.__mro__[1]
    own = {name for name in vars(manager) if not name.startswith("_")}
    return (public(manager) - public(default)) | (own & public(manager))


OWNERS: dict[str, Callable[[], set[str]]] = {
    "Model": lambda: public(Model),
    "QuerySet": lambda: public(QuerySet),
    "Manager": lambda: public(Manager) - public(QuerySet),
    "reverse": lambda: of_related(type(Shelf(pk=1).products)),
    "many": lambda: of_related(type(Product(pk=1).tags)),
    "many, reverse": lambda: of_related(type(Tag(pk=1).products)),
    "generic": lambda: of_related(Product.stuck.related_manager_cls),
    "in order": lambda: public(Sign) - public(Model),
    "orders": lambda: public(Shelf) - public(Model),
}
"""The classes with methods. A manager's are those that it does not copy from QuerySet; `in order`
and `orders` are the methods that Django adds to the models of an ordered relation.
"""

_EXCEPTIONS = {"DoesNotExist", "MultipleObjectsReturned", "NotUpdated"}
_RELATED = {"get_queryset", "get_prefetch_queryset", "get_prefetch_querysets"}
_MANY = {*_RELATED, "get_prefetch_cache", "count", "exists"}

READS: dict[str, set[str]] = {
    "Model": {
        *("arefresh_from_db", "check", "clean", "clean_fields", "date_error_message", "from_db"),
        *("full_clean", "get_constraints", "get_deferred_fields", "prepare_database_save"),
        *("refresh_from_db", "serializable_value", "unique_error_message"),
        *("validate_constraints", "validate_unique"),
    },
    "QuerySet": {
        *("aaggregate", "acontains", "acount", "aearliest", "aexists", "aexplain", "afirst"),
        *("aget", "aggregate", "ain_bulk", "aiterator", "alast", "alatest", "alias", "all"),
        *("annotate", "as_manager", "complex_filter", "contains", "count", "dates", "datetimes"),
        *("defer", "difference", "distinct", "earliest", "exclude", "exists", "explain", "extra"),
        *("fetch_mode", "filter", "first", "get", "in_bulk", "intersection", "iterator", "last"),
        *("latest", "none", "only", "order_by", "prefetch_related", "raw", "resolve_expression"),
        *("reverse", "select_for_update", "select_related", "union", "using", "values"),
        *("values_list",),
    },
    "Manager": {
        *("check", "contribute_to_class", "db_manager", "deconstruct", "from_queryset"),
        *("get_queryset",),
    },
    "reverse": _RELATED,
    "many": _MANY,
    "many, reverse": _MANY,
    "generic": _RELATED,
    "in order": {
        *("get_next_in_order", "get_previous_in_order"),
        *("get_next_by_since", "get_previous_by_since"),
        *_EXCEPTIONS,
    },
    "orders": {"get_sign_order", *_EXCEPTIONS},
}
