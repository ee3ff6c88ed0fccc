"""Find the tables that a text of SQL may write, from the text alone. Pure.

A table too many costs a reset; a table too few leaves clients with stale data. So if the text hides
its statements, or two databases would parse it differently, every table that the text mentions
counts, even in a string; and every tracked table where the text need not name the tables that it
writes. A text cannot show that a function, a trigger, a view or a cascade writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from invalidation.capture.raw_sql.tokens import Token, tokens_of
from invalidation.tracking.table_names import bare_name

NO_TABLES: frozenset[str] = frozenset()
LONGEST_CACHED = 4_000
"""Characters. A longer text rarely comes twice, and would fill the cache."""

_READS = ("SELECT ", "SAVEPOINT ", "RELEASE ", "ROLLBACK TO ")
_WRITES = re.compile(
    r"(?<![a-z_])(?:into|update|delete|truncate|copy|drop|alter|create|refresh|do|call|execute"
    r"|prepare)(?![\w$])"
)
# Statements that need not name the tables that they write.
_UNNAMED = re.compile(r"(?<![a-z_])(?:truncate|drop|alter|do|call|execute)(?![\w$])|u&\"")
# For texts that cannot be split reliably: statements that need not name the tables that they write,
# or may name them by character codes.
_WRITES_UNNAMED = re.compile(
    r"(?<![a-z_])(?:(?:execute|call|perform)(?![\w$])|truncate(?![\w$]).*(?<![a-z_])cascade(?![\w$])"
    r"|(?:schema|owned)(?![\w$]))|u&\"",
    re.DOTALL,
)
_CALLS = re.compile(r"(?<![a-z_])(?:execute|call|perform)(?![\w$])")

# Words that may stand between a verb and its table. Each may also be a table's name, so it counts.
_BETWEEN = frozenset(
    {"only", "table", "if", "not", "exists", "or", "rollback", "abort", "replace", "fail"}
    | {"ignore", "temp", "temporary", "unlogged", "local", "global", "concurrently"}
)
# `FOR UPDATE`, `FOR NO KEY UPDATE`, `ON UPDATE CASCADE`, `DO UPDATE SET`, `THEN UPDATE SET`
_NOT_A_VERB_AFTER = frozenset({"for", "key", "on", "do", "then"})
_PROGRAMS = frozenset({"trigger", "function", "procedure", "rule"})
_QUERIES = frozenset({"select", "with", "values", "table", "execute"})
_END = Token("end", "")


class _AnyTable(Exception):
    """Raised for a statement that may write any table."""


def only_reads(sql: str) -> bool:
    """Return True for most texts that write nothing, by their first word; False may mean either."""
    return sql.startswith(_READS) and ";" not in sql and "INTO" not in sql.upper()


def tables_written(sql: str, tables: frozenset[str]) -> frozenset[str]:
    """Return those of `tables` that `sql` may write: their rows, or the table itself.

    Names are compared without schema and without regard to case.
    """
    if only_reads(sql):
        return NO_TABLES
    return _cached(sql, tables) if len(sql) <= LONGEST_CACHED else _tables_written(sql, tables)


def _tables_written(sql: str, tables: frozenset[str]) -> frozenset[str]:
    lower = sql.lower()
    if not _WRITES.search(lower):
        return NO_TABLES
    bare = {table: bare_name(table) for table in tables}
    mentioned = frozenset(t for t, name in bare.items() if name in lower or '"' in name)
    if not mentioned and not _UNNAMED.search(lower):
        return NO_TABLES
    found = tokens_of(sql)
    if not found.sure:
        return tables if _WRITES_UNNAMED.search(lower) else mentioned
    statements = list(statements_of(found.tokens))
    try:
        if any(_contains_program(statement, lower) for statement in statements):
            return mentioned
        names = {name for statement in statements for name in _names(statement)}
    except _AnyTable:
        return tables
    return frozenset(table for table, name in bare.items() if name in names)


_cached = lru_cache(maxsize=2_048)(_tables_written)


def controls_transactions(sql: str) -> bool:
    """Return True if the text may end transactions, or refuse to run within one."""
    statements = list(statements_of(tokens_of(sql).tokens))
    return any(
        statement[0].text in {"begin", "start", "commit", "end", "rollback", "abort", "call", "do"}
        or any(token.text == "concurrently" for token in statement)
        for statement in statements
    )


def statements_of(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Split the tokens of a text into those of its statements."""
    start = 0
    for i, token in enumerate([*tokens, Token("sign", ";")]):
        if token == Token("sign", ";"):
            if i > start:
                yield tokens[start:i]
            start = i + 1


def _contains_program(statement: Sequence[Token], text: str) -> bool:
    """Return True if the statement contains a program whose statements are not among its tokens."""
    match statement[0].text:
        case "do":
            # A statement that a program composes or calls need not name the table that it writes.
            if _CALLS.search(text):
                raise _AnyTable
            return True
        case "prepare":
            return True
        case "create":
            return any(token.text in _PROGRAMS for token in statement[:6])
    return False


def _names(statement: Sequence[Token]) -> Iterator[str]:
    """Return the names of the tables that one statement writes, and possibly other words."""
    at = [token.text if token.kind == "word" else "" for token in statement]
    for i, word in enumerate(at):
        if (
            word == "into"
            or (word == "update" and (i == 0 or at[i - 1] not in _NOT_A_VERB_AFTER))
            or (word == "from" and i > 0 and at[i - 1] == "delete")
        ):
            yield from _targets(statement, i + 1)
    yield from _names_by_verb(statement, at)


def _names_by_verb(statement: Sequence[Token], at: Sequence[str]) -> Iterator[str]:
    """Return the tables after verbs that are verbs only at the beginning of a statement."""
    match at[0]:
        case "truncate":
            if "cascade" in at:
                raise _AnyTable
            yield from _targets(statement, 1)
        case "copy" if "from" in at:
            yield from _targets(statement, 1)
        case "drop" | "alter":
            if {"schema", "owned"} & set(at[1:2]):
                raise _AnyTable
            # Also the new name of a table, and the partition that it becomes.
            yield from _targets_after({"table", "view", "to", "partition", "inherit"}, statement)
        case "create":
            if any(_is_query(statement, i + 1) for i, word in enumerate(at) if word == "as"):
                yield from _targets_after({"table", "view"}, statement)
            if "execute" in at:
                raise _AnyTable
        case "refresh":
            yield from _targets_after({"view"}, statement)
        case "call" | "execute":
            raise _AnyTable
        case "explain" if "execute" in at:
            raise _AnyTable


def _is_query(statement: Sequence[Token], i: int) -> bool:
    while _text_at(statement, i) == "(":
        i += 1
    return _text_at(statement, i) in _QUERIES


def _targets_after(words: set[str], statement: Sequence[Token]) -> Iterator[str]:
    for i, token in enumerate(statement):
        if token.kind == "word" and token.text in words:
            yield from _targets(statement, i + 1)


def _targets(statement: Sequence[Token], i: int) -> Iterator[str]:
    """Return the tables that are named from the token `i` on, separated by commas."""
    while True:
        while _is_between(statement, i):
            yield statement[i].text
            i += 1
        while _token(statement, i).may_name and _text_at(statement, i + 1) == ".":
            i += 2
        if not _token(statement, i).may_name:
            return
        yield statement[i].text
        i += 1
        while _text_at(statement, i) in {"*", ")"}:
            i += 1
        if _text_at(statement, i) != ",":
            return
        i += 1


def _is_between(statement: Sequence[Token], i: int) -> bool:
    token = _token(statement, i)
    return token.text == "(" or (
        token.kind == "word" and token.text in _BETWEEN and _text_at(statement, i + 1) != "."
    )


def _token(statement: Sequence[Token], i: int) -> Token:
    return statement[i] if i < len(statement) else _END


def _text_at(statement: Sequence[Token], i: int) -> str:
    return _token(statement, i).text
