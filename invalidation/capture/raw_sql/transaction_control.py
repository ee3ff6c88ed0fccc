"""Find the statements in a text of SQL that end transactions, from the text alone. Pure.

An end that a text hides is noticed by the driver's state: see `invalidation.transactions.settle`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from invalidation.capture.raw_sql.tables_written import LONGEST_CACHED, statements_of
from invalidation.capture.raw_sql.tokens import Token, tokens_of

Verb = Literal[
    "commit", "rollback", "rollback to", "prepare", "commit prepared", "rollback prepared"
]

_ENDS = re.compile(r"(?<![a-z_])(?:commit|end|rollback|abort|prepare)(?![\w$])", re.IGNORECASE)
# A text without semicolon that begins so is one statement, and ends nothing.
_WRITES = ("INSERT ", "UPDATE ", "DELETE ", "WITH ")
_COMMITS = frozenset({"commit", "end"})
_NOISE = frozenset({"work", "transaction", "savepoint"})
# The tokens are in lower case, and the name of a prepared transaction is not.
_NAME = re.compile(r"(?:transaction|prepared)\s+(?:'((?:[^']|'')*)'|(%s))\s*;?\s*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Control:
    """A text that may end a transaction.

    `verb` is None if the text has several statements. `name` is that of a savepoint or a prepared
    transaction; None if it is not in the text.
    """

    verb: Verb | None
    name: str | None = None
    is_parameter: bool = False
    """True if the name is the statement's only parameter."""


def control_of(sql: str) -> Control | None:
    """Return what a text does to transactions; None if it can end none."""
    if sql.startswith(_WRITES) and ";" not in sql:
        return None
    return _cached(sql) if len(sql) <= LONGEST_CACHED else _control_of(sql)


def _control_of(sql: str) -> Control | None:
    if not _ENDS.search(sql):
        return None
    found = tokens_of(sql)
    statements = list(statements_of(found.tokens))
    if any(_is_trigger(statement) for statement in statements):
        # Its body has semicolons, and an END of its own.
        return None
    verbs = [verb for statement in statements if (verb := _verb_of(statement))]
    if not verbs:
        return None
    return _lone(verbs[0], statements[0], sql) if len(statements) == 1 else Control(None)


def _lone(verb: Verb, statement: Sequence[Token], sql: str) -> Control:
    if verb == "rollback to":
        return Control(verb, statement[-1].text)
    name = _NAME.search(sql) if "prepare" in verb else None
    if name is None:
        return Control(verb)
    literal = name[1].replace("''", "'") if name[1] is not None else None
    return Control(verb, literal, is_parameter=name[2] is not None)


_cached = lru_cache(maxsize=2_048)(_control_of)


def _is_trigger(statement: Sequence[Token]) -> bool:
    words = [token.text for token in statement[:6]]
    return words[0] == "create" and "trigger" in words


def _verb_of(statement: Sequence[Token]) -> Verb | None:
    words = [token.text for token in statement if token.text not in _NOISE]
    first = words[0] if words else ""
    after = words[1] if len(words) > 1 else ""
    if first == "prepare":
        # `PREPARE name AS …` prepares a statement.
        return "prepare" if statement[1:2] == (Token("word", "transaction"),) else None
    if first in _COMMITS:
        return "commit prepared" if after == "prepared" else "commit"
    if first == "rollback" and after == "prepared":
        return "rollback prepared"
    if first == "rollback" and after == "to":
        return "rollback to"
    return "rollback" if first in {"rollback", "abort"} else None
