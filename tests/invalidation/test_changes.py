"""Merging the changes of a transaction."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from invalidation.changes import Change, merge
from tests.shop.models import Product, Shelf

IMAGES = st.none() | st.integers(0, 3).map(lambda shelf: {"shelf_id": shelf})
CHANGES = st.lists(
    st.builds(
        Change, st.sampled_from([Product, Shelf]), st.sampled_from(["1", "2"]), IMAGES, IMAGES
    )
)


def test_a_row_that_came_and_went_is_not_a_change():
    """A row that was created and deleted in one transaction was never visible."""
    came = Change(Product, "1", None, {"shelf_id": 1})
    went = Change(Product, "1", {"shelf_id": 1}, None)

    assert merge([came, went]) == []


def test_rows_of_two_models_with_one_key_stay_apart():
    """A row is identified by its model and key."""
    changes = [Change(Product, "1", None, {}), Change(Shelf, "1", None, {})]

    assert merge(changes) == changes


@given(CHANGES)
def test_a_row_keeps_its_first_before_and_its_last_after(changes):
    """Any number of writes of a row become one change."""
    merged = {(c.model, c.pk): (c.before, c.after) for c in merge(changes)}

    for row in {(c.model, c.pk) for c in changes}:
        own = [c for c in changes if (c.model, c.pk) == row]
        ends = (own[0].before, own[-1].after)
        assert merged.get(row, (None, None)) == ends


@given(CHANGES)
def test_merging_keeps_the_order_in_which_rows_were_first_written(changes):
    """Changes are in the order of the rows' first writes."""
    order = list(dict.fromkeys((c.model, c.pk) for c in changes))

    merged = [(c.model, c.pk) for c in merge(changes)]

    assert merged == [row for row in order if row in set(merged)]
