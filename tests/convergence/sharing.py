"""Random writes that take access away and give it back, while all goes on."""

from __future__ import annotations

from random import Random

from tests.convergence.board.models import Share
from tests.convergence.board.topics import PEOPLE, VIEWERS


class Sharing:
    """What one writer does to shares. As much is given as is taken."""

    def __init__(self, draw: Random) -> None:
        self._draw = draw

    def one(self) -> None:
        """Write something."""
        kinds = (self.give, self.give, self.take, self.take, self.open, self.close, self.hand_over)
        self._draw.choice(kinds)()

    def give(self) -> None:
        """Let one viewer see one person's tasks."""
        pair = {"owner_id": self._owner(), "viewer_id": self._viewer()}
        if not Share.objects.filter(**pair).exists():
            Share.objects.create(**pair)

    def take(self) -> None:
        """Let one viewer see them no more."""
        for share in Share.objects.filter(owner=self._owner(), viewer=self._viewer()):
            share.delete()

    def open(self) -> None:
        """Let everybody see them."""
        owner = self._owner()
        Share.objects.filter(owner=owner).delete()
        Share.objects.bulk_create(
            Share(owner_id=owner, viewer_id=viewer) for viewer in range(1, VIEWERS + 1)
        )

    def close(self) -> None:
        """Let nobody see them."""
        Share.objects.filter(owner=self._owner()).delete()

    def hand_over(self) -> None:
        """Let those who see one person's tasks see another's instead."""
        Share.objects.filter(owner=self._owner()).update(owner=self._owner())

    def _owner(self) -> int:
        return self._draw.randint(1, PEOPLE)

    def _viewer(self) -> int:
        return self._draw.randint(1, VIEWERS)
