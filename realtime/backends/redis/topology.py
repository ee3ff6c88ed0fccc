"""Which server holds which partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from realtime.backends.redis.keys import PARTITIONS, slot_of


class Address(NamedTuple):
    """Where a server listens. A Unix socket has its path as host, and port 0."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


@dataclass(frozen=True, slots=True)
class Layout:
    """The owner of each partition, if it has one, and the replicas that follow each owner."""

    owners: tuple[Address | None, ...]
    replicas: Mapping[Address, Sequence[Address]]

    def partitions_of(self, address: Address) -> list[int]:
        """Return the partitions that a server owns."""
        return [partition for partition, owner in enumerate(self.owners) if owner == address]

    @property
    def addresses(self) -> frozenset[Address]:
        """The servers that own partitions."""
        return frozenset(owner for owner in self.owners if owner is not None)


def layout_of_one(address: Address) -> Layout:
    """Return the layout of a server outside a cluster: it owns every partition.

    Its replicas are left out: no server reports when one of them takes its place.
    """
    return Layout((address,) * PARTITIONS, {})


def layout_of_cluster(slots: Sequence[Any], asked: Address) -> Layout:
    """Return the layout of CLUSTER SLOTS, as the server at `asked` sees it."""
    ranges = []
    replicas: dict[Address, list[Address]] = {}
    for first, last, owner, *followers in slots:
        address = _address(owner, asked)
        ranges.append((int(first), int(last), address))
        replicas[address] = [_address(each, asked) for each in followers]
    return Layout(
        tuple(
            next((owner for first, last, owner in ranges if first <= slot <= last), None)
            for slot in map(slot_of, range(PARTITIONS))
        ),
        replicas,
    )


def _address(node: Sequence[Any], asked: Address) -> Address:
    """Read a node; a node that does not know its own name is the server that was asked."""
    host = node[0].decode() if isinstance(node[0], bytes) else node[0]
    return Address(host if host and host != "?" else asked.host, int(node[1]))
