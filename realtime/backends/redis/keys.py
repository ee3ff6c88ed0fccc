"""The partitions, and the names of keys and channels in Redis.

The first byte of a topic's SHA-1 is the number of its partition. All keys of a partition hold this
number in braces. So a cluster keeps the keys and their channels on one node, and distributes the
partitions over its nodes. This is part of the contract with other programs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha1

from redis.crc import key_slot

from realtime.messages.topics import Topic

PARTITIONS = 256


@lru_cache(maxsize=65_536)
def partition_of(topic: str) -> int:
    """Return the number of a topic's partition."""
    return sha1(topic.encode(), usedforsecurity=False).digest()[0]


def by_partition(topics: Iterable[Topic]) -> dict[int, list[Topic]]:
    """Group topics by their partitions."""
    found: defaultdict[int, list[Topic]] = defaultdict(list)
    for topic in topics:
        found[partition_of(topic)].append(topic)
    return found


@lru_cache(maxsize=PARTITIONS)
def slot_of(partition: int) -> int:
    """Return a partition's slot in a cluster."""
    return key_slot(f"{{{partition}}}".encode())


@dataclass(frozen=True, slots=True)
class Names:
    """The names that begin with a project's `prefix`."""

    prefix: str

    def meta(self, partition: int) -> str:
        """Return the key of a partition's hash."""
        return f"{self.prefix}:1:{{{partition}}}:meta"

    def index(self, partition: int) -> str:
        """Return the key of a partition's sorted set of topics."""
        return f"{self.prefix}:1:{{{partition}}}:index"

    def log(self, topic: str) -> str:
        """Return the key of a topic's messages, which is also the name of its channel."""
        return f"{self.prefix}:1:{{{partition_of(topic)}}}:topic:{topic}"

    def keys(self, topic: Topic) -> tuple[str, str, str]:
        """Return the keys that the scripts of a topic take."""
        partition = partition_of(topic)
        return self.meta(partition), self.index(partition), self.log(topic)

    def topic_in(self, channel: str) -> str:
        """Return the topic of a channel, as text."""
        return channel.split(":topic:", 1)[1]
