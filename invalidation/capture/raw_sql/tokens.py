"""Split SQL into tokens, as PostgreSQL and SQLite do, and say where the two differ. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LETTER = r"A-Za-z_\x80-\U0010ffff"  # non-ASCII characters are letters in both databases
_TOKENS = re.compile(
    rf"""
      (?P<space> [ \t\r\n\f\v]+ )
    | (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<dollars> \$ (?P<tag> (?:[{_LETTER}][{_LETTER}0-9]*)? ) \$ .*? \$ (?P=tag) \$ )
    | (?P<string> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' )
    | (?P<unicode> [uU]&"(?:[^"]|"")*" )
    | (?P<name> "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]\['"`;$]*\] )
    | (?P<word> [{_LETTER}][{_LETTER}0-9$]* )
    | (?P<number> [0-9]+ )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_LONE_RETURN = re.compile(r"\r(?!\n)")
_QUOTES = frozenset("'\"`[$")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL: its kind, and its text in lower case, without quotes."""

    kind: str
    text: str

    @property
    def may_name(self) -> bool:
        """True if it can be a table's name. SQLite takes even a string as one."""
        return self.kind in {"word", "name", "string"}


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text's tokens, without spaces and comments.

    If `sure` is False, one of the databases might split the text differently, and run statements
    that these tokens do not show.
    """

    tokens: tuple[Token, ...]
    sure: bool


def tokens_of(sql: str) -> Tokens:
    """Split a text into tokens."""
    tokens, sure = [], True
    for match in _TOKENS.finditer(sql):
        kind, text = str(match.lastgroup), match.group()
        if kind == "tag":
            kind = "dollars"
        sure = sure and not _is_doubtful(kind, text)
        if kind not in {"space", "comment"}:
            tokens.append(Token(kind, _plain(kind, text.lower())))
    return Tokens(tuple(tokens), sure)


def _is_doubtful(kind: str, text: str) -> bool:
    match kind:
        case "comment":
            # Only PostgreSQL nests comments. A lone carriage return ends a line there, but not in
            # SQLite. MySQL runs the content of `/*! */`.
            nested = "/*" in text[2:] or text.startswith("/*!")
            return nested or _LONE_RETURN.search(text) is not None
        case "string":
            # A setting of PostgreSQL decides whether a backslash escapes the quote.
            return "\\'" in text and not text.lower().startswith("e")
        case "dollars" | "unicode":
            return True
        case "sign":
            # A quote without an end, or a bracket that begins an index or a name.
            return text in _QUOTES
    return False


def _plain(kind: str, text: str) -> str:
    if kind == "name" and text.startswith("["):
        return text[1:-1]
    if kind == "name" or (kind == "string" and text.startswith("'")):
        return text[1:-1].replace(text[0] * 2, text[0])
    return text
