"""Deletes that the database cascades by itself, as the models tell: families are reset."""

from __future__ import annotations

import pytest
from django.db import connection, models
from django.test import override_settings

from invalidation import quiet
from invalidation.tracking import registry as tracking
from tests.invalidation.told import lines, resets
from tests.shop import relations
from tests.shop.models import Board, Sticker

pytestmark = pytest.mark.django_db(transaction=True)

needs_6_1 = pytest.mark.skipif(
    not hasattr(models, "DB_CASCADE"), reason="needs Django 6.1, the first with DB_CASCADE"
)

CASCADE = "board_id bigint NOT NULL REFERENCES shop_board (id) ON DELETE CASCADE"


@pytest.fixture
def board(transactional_db):
    """Return a board with a sticker, which the database deletes with the board."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE shop_sticker")
        cursor.execute(f"CREATE TABLE shop_sticker (id bigint PRIMARY KEY, {CASCADE})")
    board = Board.objects.create(pk=1)
    Sticker.objects.create(pk=1, board=board)
    yield board
    with connection.schema_editor() as editor:
        editor.delete_model(Sticker)
        editor.create_model(Sticker)


@pytest.fixture
def told(board, told):
    """Skip the records of the arranged rows."""
    told.records()
    return told


def test_cascade_made_by_hand_resets_the_models_that_it_reaches(board, told):
    """A constraint behind DO_NOTHING deletes rows that are unknown."""
    board.delete()

    assert not Sticker.objects.exists()
    assert told() == lines((Board, 1), "left") | resets(Sticker, "stuck:")


@pytest.mark.parametrize(
    "delete",
    [
        lambda: Board.objects.all().delete(),
        lambda: Board.objects.all()._raw_delete("default"),
    ],
    ids=["delete", "raw delete"],
)
def test_cascade_follows_every_kind_of_delete(delete, told):
    """Of an object, of a QuerySet, and Django's fast delete."""
    delete()

    assert told() == lines((Board, 1), "left") | resets(Sticker, "stuck:")


def test_delete_of_nothing_resets_nothing(told):
    """Without deleted rows there is no cascade."""
    Board.objects.filter(pk=404).delete()
    Board.objects.filter(pk=404)._raw_delete("default")

    assert told.records() == []


@override_settings(INVALIDATION={"MAX_ROWS": 1})
def test_delete_of_too_many_rows_resets_the_models_of_its_cascade(told):
    """Above the cap the rows of both models are unknown."""
    Board.objects.bulk_create([Board(pk=2)])
    told.records()

    Board.objects.all()._raw_delete("default")

    assert told() == resets(Board) | resets(Sticker, "stuck:")


def test_quiet_delete_resets_the_models_of_its_cascade(board, told):
    """A quiet delete resets the families of the cascade too."""
    with quiet():
        board.delete()

    assert told() == resets(Board) | resets(Sticker, "stuck:")


def test_delete_of_an_untracked_board_resets_the_models_of_its_cascade(board, told, monkeypatch):
    """The deleted model need not be tracked itself."""
    known = dict(tracking.registry.declarations)
    del known[Board]
    monkeypatch.setattr(tracking, "registry", tracking.Registry(known))

    board.delete()

    assert told() == resets(Sticker, "stuck:")


@pytest.fixture
def framed(monkeypatch):
    """Track the models that refer to frames."""
    known = dict(tracking.registry.declarations)
    monkeypatch.setattr(tracking, "registry", tracking.Registry(known))
    tracking.track(relations.Pin, "pinned:{frame_id}")
    tracking.track(relations.PinHead)
    tracking.track(relations.Clip, "clipped:{frame_id}")


@needs_6_1
def test_cascades_that_django_leaves_to_the_database_reset_all_they_reach(framed, told):
    """DB_CASCADE, a second one after it, and DB_SET_NULL."""
    frame = relations.Frame.objects.create(pk=1)
    pin = relations.Pin.objects.create(frame=frame)
    relations.PinHead.objects.create(pin=pin)
    clip = relations.Clip.objects.create(frame=frame)
    told.records()

    frame.delete()

    clip.refresh_from_db()
    assert (relations.PinHead.objects.count(), clip.frame_id) == (0, None)
    assert told() == (
        resets(relations.Pin, "pinned:")
        | resets(relations.PinHead)
        | resets(relations.Clip, "clipped:")
    )


@needs_6_1
def test_cascade_from_the_middle_resets_the_models_after_it(framed, told):
    """Models before it in the chain are not reset."""
    pin = relations.Pin.objects.create(frame=relations.Frame.objects.create(), pk=7)
    told.records()

    pin.delete()

    assert told() == lines((relations.Pin, 7), "left", f"pinned:{pin.frame_id}") | resets(
        relations.PinHead
    )
