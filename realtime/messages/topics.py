"""Topics: the names that clients subscribe to.

A topic is text, `family:key`. The key is parts joined by `/`, each percent-encoded. Every topic has
exactly one spelling and can be compared, hashed and sent as it is:

    list:5                      family "list", one part
    seat:12/b%2F4               family "seat", parts "12" and "b/4"
    object:shop.order/7         family "object:shop.order/", one part
    model:shop.order            family "model:", one part
    list:                       a bare family: it stands for all its topics

One spelling matters: a client subscribed to `list:05` would receive no message of `list:5`.
"""

from __future__ import annotations

import re
from typing import Self
from urllib.parse import quote, unquote

from realtime.exceptions import InvalidTopic

OBJECT = "object:"
RESERVED = "realtime"
"""The family of messages between processes. No rule lets a client watch it."""
_FAMILY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PART = re.compile(r"(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})+")
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]+")


class Topic(str):
    """A topic in its canonical spelling.

    `Topic("list:5")` reads text; `Topic.of("list", 5)` encodes parts. Both raise InvalidTopic.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Read a topic in its canonical spelling, or raise InvalidTopic."""
        if isinstance(text, cls):
            return text
        _check(text)
        return super().__new__(cls, text)

    @classmethod
    def of(cls, family: str, *parts: object) -> Self:
        """Make the topic of `family` whose key is `parts`; without parts, the bare family."""
        if not isinstance(family, str) or not _FAMILY.fullmatch(family):
            raise InvalidTopic(
                f"expected a family like 'list' (letters, digits, '_', '.', '-'), got {family!r}"
            )
        # Not validated again: the parts were just encoded canonically.
        return str.__new__(cls, f"{family}:{'/'.join(map(encode_part, parts))}")

    def with_parts(self, *parts: object) -> Topic:
        """Return the topic of this bare family with `parts` as its key, or appended to its key."""
        assert self.is_family, self
        return str.__new__(Topic, self + "/".join(map(encode_part, parts)))

    @property
    def name(self) -> str:
        """The text before the colon: `list` of `list:5`."""
        return self.partition(":")[0]

    @property
    def key(self) -> str:
        """The text behind the colon, still encoded: `5` of `list:5`."""
        return self.partition(":")[2]

    @property
    def parts(self) -> tuple[str, ...]:
        """The key's parts, decoded; empty for a bare family."""
        return tuple(unquote(part) for part in self.key.split("/") if part)

    @property
    def family(self) -> Topic:
        """The bare family that stands for this topic: `list:`, or `object:shop.order/`.

        It is not validated again: it is the beginning of a topic.
        """
        if self.is_family:
            return self
        if self.startswith(OBJECT) and "/" in self:
            return str.__new__(Topic, self[: self.index("/") + 1])
        return str.__new__(Topic, f"{self.name}:")

    @property
    def is_family(self) -> bool:
        """True for a bare family, which clients never subscribe to."""
        return self.endswith((":", "/"))


def encode_part(part: object) -> str:
    """Return one part of a key, percent-encoded; raise InvalidTopic if it is empty."""
    if type(part) is int:
        return str(part)
    text = str(part)
    if not text or part is None:
        raise InvalidTopic(f"expected a part of a topic's key that is not empty, got {part!r}")
    if _PLAIN.fullmatch(text):
        return text
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        raise InvalidTopic(f"expected a part of a topic's key in UTF-8, got {part!r}") from error


def _check(text: object) -> None:
    if not isinstance(text, str):
        raise InvalidTopic(f"expected a topic as text, like 'list:5', got {text!r}")
    name, colon, key = text.partition(":")
    if not colon or not _FAMILY.fullmatch(name):
        raise InvalidTopic(f"expected a topic like 'list:5', got {text!r}")
    if text.startswith(OBJECT) and key.endswith("/") and key.count("/") == 1:
        key = key[:-1]
    parts = key.split("/") if key else []
    if not all(_PART.fullmatch(part) and quote(unquote(part), safe="") == part for part in parts):
        raise InvalidTopic(
            f"expected the parts of a key percent-encoded and joined by '/', got {text!r};"
            " make it with Topic.of(family, *parts)"
        )
