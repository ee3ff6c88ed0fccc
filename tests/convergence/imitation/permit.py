"""`ticket.js`: one subscription's ticket, the request that carries it, and the server's answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request on this connection named."""

    cursor: str | None
    ticket: str | None


class Permit:
    """A ticket, and whether the server has confirmed."""

    def __init__(self, ticket: str | None) -> None:
        self.ticket = ticket
        self.confirmed = False
        self.was_confirmed = False
        """On any connection."""
        self._asked: Asked | None = None
        self._is_repeatable = False
        self._is_repeated = False

    def ask(self, cursor: str | None) -> Asked:
        """Build the request, and remember what it names."""
        self._asked = Asked(cursor, self.ticket)
        return self._asked

    def confirm(self) -> bool:
        """Note the server's answer: True if it replays from a cursor that the request named."""
        self.confirmed = self.was_confirmed = True
        return self._asked is not None and bool(self._asked.cursor)

    def deny(self) -> bool:
        """Note a denial: True if it is of an earlier ticket than the present one."""
        if self._asked is None or self.ticket != self._asked.ticket:
            return True
        self._is_repeatable = not self._is_repeated
        return False

    def renew(self, ticket: str) -> bool:
        """Take a fresh ticket: True if the denied request is to be repeated with it."""
        is_repeat = self._is_repeatable and ticket != self.ticket
        self.ticket = ticket
        if is_repeat:
            self._is_repeatable, self._is_repeated = False, True
        return is_repeat

    def retire(self) -> None:
        """Repeat the denied request with no ticket."""
        self._is_repeatable = False

    def lose(self) -> None:
        """Note that the connection is lost, and with it what the server knew."""
        self.confirmed = False
        self._asked = None
        self._is_repeated = False
