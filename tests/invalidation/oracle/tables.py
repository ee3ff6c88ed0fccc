"""The topics of each table's rows: `tests/shop/live.py` written a second time, by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import quote
from uuid import UUID

Values = Mapping[str, str | None]
"""A row's columns as text."""

Row = tuple[str, str]
"""A model's label, and the row's primary key as text."""


def topic(family: str, *parts: str | None) -> Iterator[str]:
    """Return a topic, or none where a part is null or empty."""
    if all(parts):
        yield f"{family}:{'/'.join(quote(str(part), safe='') for part in parts)}"


def own_topic(label: str, key: str | None) -> Iterator[str]:
    """Return the topic of a single row; none for an empty key."""
    if key:
        yield f"object:{label}/{quote(key, safe='')}"


def _first(key: tuple[str, ...]) -> str:
    return key[0]


def _uuid(key: tuple[str, ...]) -> str:
    return str(UUID(key[0]))


def _number_and_text(key: tuple[str, ...]) -> str:
    return json.dumps([int(key[0]), key[1]], separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True)
class Table:
    """A table: its model's label, its columns (the key's first), and the topics of its rows.

    `child` is the label of the model that inherits its columns. `ends` are, by column, the labels
    of the rows that a many-to-many row refers to.
    """

    label: str
    name: str
    columns: tuple[str, ...]
    topics: Callable[[Values], Iterator[str]]
    key: Callable[[tuple[str, ...]], str] = _first
    keys: int = 1
    child: str | None = None
    ends: Mapping[str, str] = field(default_factory=dict)

    def row(self, values: tuple[str, ...]) -> Row:
        """Return the identity of the row with these values."""
        return self.label, self.key(values[: self.keys])

    def topics_of(self, row: Row, values: tuple[str, ...]) -> frozenset[str]:
        """Return every topic of a row."""
        topics = self.topics(dict(zip(self.columns, values, strict=True)))
        return frozenset([*topics, f"model:{self.label}", *own_topic(*row)])


def _shelf(row: Values) -> Iterator[str]:
    yield from topic("shelf", row["id"])
    yield from topic("inside", row["inside_id"])


def _product(row: Values) -> Iterator[str]:
    price, since = row["price"], row["since"]
    yield from topic("shelf", row["shelf_id"])
    yield from topic("origin", row["origin_id"])
    yield from topic("maker", row["maker"])
    yield from topic("shout", row["shout"])
    yield from topic("price", row["shelf_id"], price and f"{Decimal(price):.2f}")
    yield from topic("year", since and since[:4])


def _wish(row: Values) -> Iterator[str]:
    yield from topic("wishes", row["customer_id"])
    yield from topic("place", row["customer_id"], row["_order"])


def _country(row: Values) -> Iterator[str]:
    yield from topic("country", row["code"])
    yield from topic("named", row["name"])


def _stock(row: Values) -> Iterator[str]:
    yield from topic("stock", row["shop_number"], row["product"])
    yield from topic("stocked", row["shelf_id"])


def _nothing(_: Values) -> Iterator[str]:
    return iter(())


def _by(family: str, *columns: str) -> Callable[[Values], Iterator[str]]:
    return lambda row: topic(family, *(row[column] for column in columns))


PRODUCT_COLUMNS = ("id", "name", "shelf_id", "origin_id", "maker", "price", "since", "hidden")
TABLES = (
    Table("shop.country", "shop_country", ("code", "name"), _country),
    Table("shop.shelf", "shop_shelf", ("id", "name", "inside_id"), _shelf),
    Table(
        "shop.product",
        "shop_product",
        (*PRODUCT_COLUMNS, "shout"),
        _product,
        child="shop.book",
    ),
    Table(
        "shop.book",
        "shop_book",
        ("product_ptr_id", "author", "chapter_of_id"),
        _by("author", "author"),
    ),
    Table(
        "shop.product_tags",
        "shop_product_tags",
        ("id", "product_id", "tag_id"),
        _nothing,
        ends={"product_id": "shop.product", "tag_id": "shop.tag"},
    ),
    Table(
        "shop.parcel",
        "shop_parcel",
        ("id", "country_id"),
        _by("parcels", "country_id"),
        key=_uuid,
        child="shop.express",
    ),
    Table(
        "shop.express", "shop_express", ("parcel_ptr_id", "hours"), _by("hours", "hours"), key=_uuid
    ),
    Table("shop.coupon", "shop_coupon", ("code", "shelf_id"), _by("coupons", "shelf_id")),
    Table("shop.nickname", "shop_nickname", ("name",), _by("nickname", "name")),
    Table(
        "shop.stock",
        "shop_stock",
        ("shop_number", "product", "amount", "shelf_id"),
        _stock,
        key=_number_and_text,
        keys=2,
    ),
    Table(
        "shop.review",
        "shop_review",
        ("id", "text", "content_type_id", "object_id"),
        _by("reviews", "content_type_id", "object_id"),
    ),
    Table("shop.customer", "shop_customer", ("id", "name"), _by("customer", "name")),
    Table(
        "shop.customer_friends",
        "shop_customer_friends",
        ("id", "from_customer_id", "to_customer_id"),
        _nothing,
        ends={"from_customer_id": "shop.customer", "to_customer_id": "shop.customer"},
    ),
    Table(
        "shop.customer_follows",
        "shop_customer_follows",
        ("id", "from_customer_id", "to_customer_id"),
        _nothing,
        ends={"from_customer_id": "shop.customer", "to_customer_id": "shop.customer"},
    ),
    Table("shop.wish", "shop_wish", ("id", "customer_id", "text", "_order"), _wish),
)
BY_LABEL = {table.label: table for table in TABLES}
EMPTIED = (*(table.name for table in TABLES), "shop_tag", "shop_visit")
"""The tables that the programs write, with the untracked ones."""
