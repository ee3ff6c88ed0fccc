"""`permit.js`: one subscription's leave to be told: what it asked for, and what was answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.convergence.imitation.renewal import Renew, Renewal, Renewed
from tests.convergence.imitation.tools import Tools


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request on this connection named."""

    cursor: str | None
    ticket: str | None


class Permit:
    """A ticket, and whether the server has confirmed."""

    def __init__(self, ticket: str | None, renew: Renew | None, tools: Tools) -> None:
        self.ticket = ticket
        self.confirmed = False
        self.was_confirmed = False
        """On whichever connection."""
        self._renewal = Renewal(renew, tools)
        self._asked: Asked | None = None

    @property
    def is_wanting(self) -> bool:
        """Is the server still to be asked?"""
        return not self.confirmed and not self._renewal.is_under_way

    def ask(self, cursor: str | None) -> Asked:
        """Build the request, and remember what it names."""
        self._asked = Asked(cursor, self.ticket)
        return self._asked

    def confirm(self) -> bool:
        """Note the server's answer: True if it replays from a cursor that the request named."""
        self.confirmed = self.was_confirmed = True
        self._renewal.succeeded()
        return self._asked is not None and bool(self._asked.cursor)

    def refuse(self, again: Callable[[str | None], None], give_up: Callable[[], None]) -> None:
        """Note that the request was refused: get another ticket, if there is a way."""
        if self._has_other_ticket:
            again(None)
            return
        if not self._renewal.is_possible:
            give_up()
            return

        def done(renewed: Renewed | None) -> None:
            if renewed is not None and renewed.ticket is not None:
                self.ticket = renewed.ticket
            if self._has_other_ticket:
                again(renewed.cursor if renewed else None)
            else:
                give_up()

        self._renewal.begin(done)

    @property
    def _has_other_ticket(self) -> bool:
        # What was refused is no longer what would be asked: of another ticket or connection.
        return self._asked is None or self.ticket != self._asked.ticket

    def lose(self) -> None:
        """Note that the connection is lost, and with it what the server knew of us."""
        self.confirmed = False
        self._asked = None
        self._renewal.connection_lost()

    def stop(self) -> None:
        """Want nothing more."""
        self._renewal.stop()
