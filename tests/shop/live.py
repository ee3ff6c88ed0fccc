"""The topics of the shop's rows."""

from __future__ import annotations

import uuid
from typing import Any

from invalidation import track
from tests.shop.models import (
    Board,
    Book,
    Country,
    Coupon,
    Customer,
    Discounted,
    Express,
    Hook,
    Nickname,
    Parcel,
    Product,
    Review,
    Shelf,
    Sign,
    Sticker,
    Stock,
    Wish,
)


def by_year(product: Any) -> list[str]:
    """Return the topic of the year since which a product is sold."""
    if product.name == "explode":
        raise ZeroDivisionError("a topic function's own mistake")
    if product.name == "write":
        Country.objects.create(code=uuid.uuid4().hex[:20])
    return [f"year:{product.since.year}"] if product.since else []


track(Country, "country:{code}", "named:{name}")
track(Shelf, "shelf:{id}", "inside:{inside_id}")
track(Discounted, "shelf:{shelf_id}", "origin:{origin_id}", "maker:{maker}", "shout:{shout}")
track(Product, "price:{shelf_id}/{price}")
track(Product, by_year, reads=["since", "name"], families=["year"])
track(Book, "author:{author}")
track(Parcel, "parcels:{country_id}")
track(Express, "hours:{hours}")
track(Coupon, "coupons:{shelf_id}")
track(Nickname, "nickname:{name}")
track(Sign, "sign:{shelf_id}/{_order}")
track(Hook, "hooks:{shelf_id}", "spare:{spare_id}")
track(Board)
track(Sticker, "stuck:{board_id}")
track(Stock, "stock:{shop_number}/{product}", "stocked:{shelf_id}")
track(Review, "reviews:{content_type_id}/{object_id}")
track(Customer, "customer:{name}")
track(Wish, "wishes:{customer_id}", "place:{customer_id}/{_order}")
