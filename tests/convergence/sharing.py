"""Random writes that revoke and grant access during a round."""

from __future__ import annotations

from random import Random

from tests.convergence.board.models import Share
from tests.convergence.board.topics import PEOPLE, VIEWERS


class Sharing:
    """One writer's writes of shares; grants and revocations are equally likely."""

    def __init__(self, draw: Random) -> None:
        self._draw = draw

    def one(self) -> None:
        """Make one random write."""
        kinds = (self.give, self.give, self.take, self.take, self.open, self.close, self.hand_over)
        self._draw.choice(kinds)()

    def give(self) -> None:
        """Grant one viewer access to one person's tasks."""
        pair = {"owner_id": self._owner(), "viewer_id": self._viewer()}
        if not Share.objects.filter(**pair).exists():
            Share.objects.create(**pair)

    def take(self) -> None:
        """Revoke one viewer's access to one person's tasks."""
        for share in Share.objects.filter(owner=self._owner(), viewer=self._viewer()):
            share.delete()

    def open(self) -> None:
        """Grant all viewers access to one person's tasks."""
        owner = self._owner()
        Share.objects.filter(owner=owner).delete()
        Share.objects.bulk_create(
            Share(owner_id=owner, viewer_id=viewer) for viewer in range(1, VIEWERS + 1)
        )

    def close(self) -> None:
        """Revoke all viewers' access to one person's tasks."""
        Share.objects.filter(owner=self._owner()).delete()

    def hand_over(self) -> None:
        """Replace access to one person's tasks by access to another's, for all its viewers."""
        Share.objects.filter(owner=self._owner()).update(owner=self._owner())

    def _owner(self) -> int:
        return self._draw.randint(1, PEOPLE)

    def _viewer(self) -> int:
        return self._draw.randint(1, VIEWERS)
