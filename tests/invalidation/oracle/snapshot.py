"""Every row, by plain SQL on the driver's own connection, outside of all wrapped methods."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection

from tests.invalidation.oracle.tables import EMPTIED, TABLES, Row
from tests.shop.models import Customer, Product

State = dict[Row, tuple[str, ...]]
"""Each row's columns, as text."""

_WIDTH = max(len(table.columns) for table in TABLES)


def _select(index: int) -> str:
    table = TABLES[index]
    texts = [f"CAST({column} AS TEXT)" for column in table.columns]
    texts += ["CAST(NULL AS TEXT)"] * (_WIDTH - len(texts))
    return f"SELECT {index}, {', '.join(texts)} FROM {table.name}"


_SNAPSHOT = " UNION ALL ".join(map(_select, range(len(TABLES))))

# The database's own keys start far from those that programs choose, and at the same number each
# time.
_FIRST = 100
_NUMBERED = ("shop_tag", *(table.name for table in TABLES if table.columns[0] == "id"))
_NUMBERED = tuple(name for name in _NUMBERED if name != "shop_parcel")

_UUID = "0" * 31
_ROWS = f"""
    INSERT INTO shop_country (code, name) VALUES ('de', 'a'), ('f/r', 'b');
    INSERT INTO shop_shelf (id, name, inside_id) VALUES (1, 'a', NULL), (2, 'b', 1), (3, '', NULL);
    INSERT INTO shop_product (id, name, shelf_id, origin_id, maker, price, since, hidden) VALUES
        (1, 'a', 1, 'de', 'a', 2, NULL, FALSE), (2, 'b', 2, NULL, 'b', NULL, NULL, FALSE);
    INSERT INTO shop_book (product_ptr_id, author, chapter_of_id) VALUES (2, 'a', NULL);
    INSERT INTO shop_tag (id, name) VALUES (1, 'a'), (2, 'b');
    INSERT INTO shop_product_tags (id, product_id, tag_id) VALUES (1, 1, 1);
    INSERT INTO shop_customer (id, name) VALUES (1, 'a'), (2, 'b');
    INSERT INTO shop_wish (id, customer_id, text, _order) VALUES (1, 1, '', 0), (2, 1, 'a', 1);
    INSERT INTO shop_parcel (id, country_id) VALUES ('{_UUID}1', 'de'), ('{_UUID}2', NULL);
    INSERT INTO shop_express (parcel_ptr_id, hours) VALUES ('{_UUID}1', 1);
    INSERT INTO shop_coupon (code, shelf_id) VALUES ('X1', 1);
    INSERT INTO shop_nickname (name) VALUES ('ann');
    INSERT INTO shop_review (id, text, content_type_id, object_id)
        SELECT 1, '', id, 1 FROM django_content_type
        WHERE app_label = 'shop' AND model = 'customer';
    INSERT INTO shop_customer_friends (id, from_customer_id, to_customer_id)
        VALUES (1, 1, 2), (2, 2, 1);
    INSERT INTO shop_customer_follows (id, from_customer_id, to_customer_id) VALUES (1, 1, 2);
    INSERT INTO shop_stock (shop_number, product, amount, shelf_id) VALUES (1, 'nut', 1, 1);
"""


def driver() -> Any:
    """Return this thread's driver connection."""
    connection.ensure_connection()
    return connection.connection


def rows_now() -> State:
    """Return all rows of the tables."""
    fetched = _fetch(_SNAPSHOT)
    state = {}
    for index, *texts in fetched:
        table = TABLES[index]
        values = tuple(texts[: len(table.columns)])
        state[table.row(values)] = values
    return state


def begin_anew() -> None:
    """Restore the same few rows in the tables, and the same next keys."""
    # The objects that a review can refer to.
    ContentType.objects.get_for_models(Customer, Product)
    emptied = "".join(f"DELETE FROM {name};" for name in EMPTIED)
    if connection.vendor == "sqlite":
        names = ", ".join(f"'{name}'" for name in _NUMBERED)
        numbers = ", ".join(f"('{name}', {_FIRST})" for name in _NUMBERED)
        numbered = (
            f"DELETE FROM sqlite_sequence WHERE name IN ({names});"
            f"INSERT INTO sqlite_sequence (name, seq) VALUES {numbers};"
        )
        # `executescript` commits an open transaction, and then each statement.
        driver().executescript(f"BEGIN; {emptied} {_ROWS} {numbered} COMMIT;")
    else:
        calls = (f"setval(pg_get_serial_sequence('{n}', 'id'), {_FIRST})" for n in _NUMBERED)
        driver().execute(f"BEGIN; {emptied} {_ROWS} SELECT {', '.join(calls)}; COMMIT;")


def _fetch(sql: str) -> list[Any]:
    if connection.vendor == "sqlite":
        return driver().execute(sql).fetchall()
    return driver().cursor().execute(sql, prepare=True).fetchall()
