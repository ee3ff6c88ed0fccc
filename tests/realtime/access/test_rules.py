"""Rules: the default is no, and only a rule's yes changes that."""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from demo_todo.models import TodoList
from realtime.access import aallowed, allow, allowed
from realtime.access.evaluate import RuleAnswer, ask_all
from realtime.exceptions import InvalidRule
from tests.realtime.decorators import logged

if TYPE_CHECKING:
    from nowhere import Somebody  # type: ignore[import-not-found]

pytestmark = pytest.mark.usefixtures("no_rules")


class Who:
    """A user to whom a rule says yes or no."""

    def __init__(self, name: str = "ada") -> None:
        self.name = name


ADA = Who()


async def ask(user: object, topic: str) -> bool:
    """Ask in all three ways, which must agree."""
    answers = {
        await sync_to_async(allowed)(user, topic),
        await aallowed(user, topic),
        (await ask_all(user, [topic]))[topic] is RuleAnswer.YES,
    }
    assert len(answers) == 1, f"three ways, {answers}"
    return answers.pop()


async def test_without_a_rule_the_answer_is_no() -> None:
    """For superusers too."""
    assert not await ask(User(is_superuser=True), "list:5")


async def test_a_rule_decides() -> None:
    """By the user and the key's parts."""

    @allow("list")
    def rule(user: Who, list_id: int) -> bool:
        assert type(list_id) is int
        return user.name == "ada" and list_id == 5

    assert await ask(ADA, "list:5")
    assert not await ask(ADA, "list:6")
    assert not await ask(Who("grace"), "list:5")


@pytest.mark.parametrize(
    "topic", ["list:", "list:x", "list:05", "list:+5", "list:5.0", "list:5/6", "list", "list:%35"]
)
async def test_a_key_that_does_not_fit_is_denied_unasked(topic: str) -> None:
    """Other spellings too: a client of `list:05` would receive no messages of `list:5`."""

    @allow("list")
    def rule(user: Who, list_id: int) -> bool:
        raise AssertionError("expected not to be asked")

    assert not await ask(ADA, topic)


async def test_a_rule_is_not_asked_about_other_families() -> None:
    """Also not if their names begin alike."""
    allow("list")(lambda user, key: True)

    assert not await ask(ADA, "lists:5")
    assert not await ask(ADA, "List:5")


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (str, ["5", "05", "b%2F4"], []),
        (int, ["5", "-5", "0"], ["05", "x", "5.0", "%2B5", "-0"]),
        (uuid.UUID, ["12345678-1234-5678-1234-567812345678"], ["x", "1" * 32]),
        (date, ["2024-02-29"], ["2024-02-30", "2024-2-28"]),
        (int | None, ["5"], ["null", "None"]),
    ],
    ids=repr,
)
async def test_parts_are_converted_to_the_annotated_types(
    annotation: object, good: list[str], bad: list[str]
) -> None:
    """In their canonical spelling, or not at all."""

    def rule(user: Who, key: object) -> bool:
        return True

    rule.__annotations__["key"] = annotation
    allow("thing")(rule)

    assert [await ask(ADA, f"thing:{key}") for key in good] == [True] * len(good)
    assert [await ask(ADA, f"thing:{key}") for key in bad] == [False] * len(bad)


async def test_a_part_without_annotation_is_text() -> None:
    """Decoded, as it was before its encoding."""
    asked: list[object] = []
    allow("seat")(lambda user, row, place: asked.append((row, place)) or True)

    assert await ask(ADA, "seat:05/b%2F4")
    assert asked == [("05", "b/4")] * 3


async def test_the_most_specific_rule_answers() -> None:
    """Alone: a general rule is not asked as well."""
    allow("object")(lambda user, model, pk: True)
    allow("object:shop.order")(lambda user, pk: pk == "7")
    allow("model:shop.order")(lambda user: True)

    assert await ask(ADA, "object:shop.line/8")
    assert await ask(ADA, "object:shop.order/7")
    assert not await ask(ADA, "object:shop.order/8")
    assert await ask(ADA, "model:shop.order")
    assert not await ask(ADA, "model:shop.line")


@pytest.mark.parametrize("error", [RuntimeError("bug"), ValueError(), AssertionError()], ids=repr)
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_rule_that_raises_denies_and_is_logged(
    error: Exception, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It fails closed."""

    def rule(user: Who, key: str) -> bool:
        raise error

    async def async_rule(user: Who, key: str) -> bool:
        raise error

    allow("list")(async_rule if is_async else rule)

    with caplog.at_level(logging.ERROR, "realtime.access"):
        assert not await ask(ADA, "list:5")
    assert [record.getMessage() for record in caplog.records] == [
        "the rule for list:5 raised; the answer is no"
    ] * 3


async def test_an_async_rule_is_awaited() -> None:
    """From sync and from async code."""

    @allow("list")
    async def rule(user: Who, list_id: int) -> bool:
        return list_id == 5

    assert await ask(ADA, "list:5")
    assert not await ask(ADA, "list:6")


class AsyncCallable:
    async def __call__(self, user: Who, key: str) -> bool:
        return False


def unmarked(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def call(*args: object) -> object:
        return function(*args)

    return call


async def says_no(user: Who, key: str) -> bool:
    return False


@pytest.mark.parametrize(
    "rule", [AsyncCallable(), unmarked(says_no), functools.partial(unmarked(says_no))]
)
async def test_an_answer_that_was_not_awaited_is_no_yes(
    rule: Callable[..., bool], caplog: pytest.LogCaptureFixture
) -> None:
    """A coroutine is true, whatever its result."""
    allow("list")(rule)

    with caplog.at_level(logging.ERROR, "realtime.access"):
        assert not await ask(ADA, "list:5")
    assert len(caplog.records) == 3


@pytest.mark.django_db(transaction=True)
async def test_an_answer_may_be_a_query() -> None:
    """Its truth is evaluated off the event loop, where queries may run."""
    allow("list")(lambda user, name: TodoList.objects.filter(name=name))
    await TodoList.objects.acreate(name="Shopping")

    assert await ask(ADA, "list:Shopping")
    assert not await ask(ADA, "list:Packing")


def test_a_family_has_one_rule() -> None:
    """With two it would be unclear which one protects it."""
    allow("list")(lambda user, key: True)

    with pytest.raises(InvalidRule, match="'list' has the rule .* already"):
        allow("list")(lambda user, key: False)


def test_the_same_rule_may_come_twice_and_serve_several() -> None:
    """A module that is imported again registers the same function."""

    def rule(user: Who, key: str) -> bool:
        return True

    assert allow("list")(allow("name")(allow("list")(rule))) is rule


@pytest.mark.parametrize("pattern", ["", "5", "a b", "list:a b", "a/b", None, 5])
def test_a_rule_is_for_a_family(pattern: object) -> None:
    """Else it would never be asked."""
    with pytest.raises(InvalidRule, match="expected a family"):
        allow(pattern)(lambda user, key: True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "rule", [lambda: True, lambda *args: True, lambda user, **key: True, lambda user, *, key: True]
)
def test_a_rule_takes_a_user_and_parts(rule: Callable[..., bool]) -> None:
    """By position."""
    with pytest.raises(InvalidRule, match=r"\(user, part, …\)"):
        allow("list")(rule)


def test_a_rule_that_takes_no_parts_is_never_asked_and_so_refused() -> None:
    """A bare family cannot be watched. A pattern with a key may leave no parts."""
    with pytest.raises(InvalidRule, match="never be asked"):
        allow("list")(lambda user: True)

    allow("model:shop.order")(lambda user: True)


async def test_a_bare_family_is_denied_whatever_the_rule_takes() -> None:
    """It covers all topics of the family, those of other users too."""
    allow("object:shop.order")(lambda user: True)
    allow("object")(lambda user, model: True)

    assert not await ask(ADA, "object:shop.order/")
    assert not await ask(ADA, "object:")


def test_an_annotation_that_text_does_not_convert_to_is_refused() -> None:
    """At start-up, not at the first client's request."""

    def rule(user: Who, key: Who) -> bool:
        return True

    with pytest.raises(InvalidRule, match="types that text"):
        allow("list")(rule)


def test_an_annotation_that_does_not_resolve_is_refused() -> None:
    """A misspelt one, or one imported only under TYPE_CHECKING."""

    def rule(user: Who, key: Somebody) -> bool:
        return True

    with pytest.raises(InvalidRule, match="Somebody"):
        allow("list")(rule)


async def test_the_users_annotation_may_be_for_type_checkers_alone() -> None:
    """The user is not converted."""

    @allow("list")
    def rule(user: Somebody, key: int) -> bool:
        return True

    assert await ask(ADA, "list:5")


async def test_a_decorated_rule_is_converted_by_its_own_annotations() -> None:
    """They name types of the rule's module, not of the decorator's."""

    @allow("list")
    @logged
    def rule(user: Somebody, key: uuid.UUID) -> bool:
        return isinstance(key, uuid.UUID)

    assert await ask(ADA, f"list:{uuid.uuid4()}")
