"""What one connection may watch: asked when it subscribes, and again whenever that may change.

A rule may name the topics on which its answer depends. They are watched from before the rule is
asked. When one of them changes, what was granted is in doubt: its messages are held from that
moment on, the rule is asked again, and either they go out or the client is told `revoked` and never
hears of them. And every so often all is asked again, since not everything that a rule looks at
tells of its changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from realtime.access.dependencies import dependencies_of
from realtime.access.evaluate import Answer, Answers, ask_all
from realtime.access.rules import has_rule, path_of
from realtime.access.tickets import holds
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.protocol import CloseCode, Denied, Revoked
from realtime.telemetry import counters

if TYPE_CHECKING:
    from realtime.connections.connection import Connection

logger = logging.getLogger("realtime.access")

NOT_ALLOWED = "not allowed"
"""The one reason for every refusal: a topic that does not exist looks like one that is secret."""

RETRY = 0.5
"""Seconds behind which a rule that failed is asked once more, before what it granted is revoked."""

MOST_ROUNDS = 4
"""How often `depends` is asked until it names what is watched already."""


class Authorization:
    """The grants of one connection. Owner: its event loop; one task at a time asks again.

    To the hub it is a mailbox: it is put what happens to the topics on which grants depend.
    """

    # One for each client: without a dict for its attributes it takes less.
    __slots__ = (
        "_asking",
        "_asks",
        "_connection",
        "_depend",
        "_doubted",
        "_held",
        "_stale",
        "_user_in_doubt",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._depend: dict[Topic, set[str]] = {}
        """What depends on each of these topics."""
        # Frozen, so that the empty ones of all connections are one.
        self._asking: frozenset[str] = frozenset()
        """What is being asked for the client, and is not granted yet."""
        self._stale: frozenset[str] = frozenset()
        """What of that is in doubt before it is granted."""
        self._doubted: dict[Topic, bool] = {}
        """What is to be asked again; and whether a rule that fails then has said no."""
        self._held: frozenset[Topic] = frozenset()
        self._user_in_doubt: bool | None = None
        """Is it in doubt whether the user may be here; strictly, or by the net alone?"""
        self._asks = False

    async def ask(self, wanted: Mapping[str, Collection[str]]) -> list[Topic]:
        """Return which of these topics the client may watch; they are in `connection.topics` then.

        `wanted` gives the tickets that came with each: they open what has no rule. What is watched
        already and refused now is watched no more.
        """
        self._asking = frozenset(wanted)
        self._stale = frozenset()
        try:
            answers = await self._answers(wanted)
        finally:
            self._asking = frozenset()
        if self._connection.has_ended:
            return []  # a rule that cannot be cancelled went on
        granted = [
            Topic(text)
            for text in wanted
            if answers.get(text) is Answer.YES or self._has_ticket(text, wanted[text])
        ]
        topics = self._connection.topics
        refused = set(wanted).difference(granted)
        self.forget(refused)
        for topic in granted:
            topics.setdefault(topic, None)
        # What was said may have been true a moment ago.
        self.doubt([topic for topic in granted if topic in self._stale])
        await self._connection.unsubscribe([topic for topic in topics if topic in refused])
        return granted

    def doubt(self, topics: Iterable[Topic], *, strict: bool = True) -> None:
        """Ask again for these, and hold what is told of them meanwhile.

        Where `strict`, a rule that fails has said no; else what it said before holds on.
        """
        for topic in topics:
            if topic not in self._doubted:
                self._connection.mailbox.hold(topic)
            self._doubted[topic] = self._doubted.get(topic, False) or strict
        if self._doubted:
            self._begin()

    def doubt_all(self, *, strict: bool = True) -> None:
        """Ask again for everything, and whether the user may be here at all."""
        self._user_in_doubt = self._user_in_doubt or strict
        self._stale |= self._asking
        self.doubt(list(self._connection.topics), strict=strict)
        self._begin()

    def put(self, message: Message) -> None:
        """Take a message of a topic on which grants depend; from the hub."""
        if not message.changes and message.reset is None:
            return  # It says only how far we have been told.
        concerned = self._depend.get(message.topic, set())
        self._stale |= concerned & self._asking
        self.doubt([topic for topic in self._connection.topics if topic in concerned])

    def discard(self, topic: Topic) -> None:
        """Forget what waits of a topic: nothing does. From the hub."""

    def forget(self, topics: Iterable[str]) -> None:
        """Depend on nothing for these any longer."""
        gone = set(topics)
        for topic in gone & self._doubted.keys():
            del self._doubted[Topic(topic)]
        self._held -= gone
        self._drop(gone)

    def in_doubt(self) -> frozenset[Topic]:
        """Return the topics for which the rules are asked again."""
        return frozenset([*self._doubted, *(self._held if self._asks else ())])

    def leave(self) -> list[Topic]:
        """Depend on nothing; return what the hub need not watch any longer."""
        dependencies, self._depend = list(self._depend), {}
        return self._connection.hub.leave(self, *dependencies)

    def _has_ticket(self, text: str, tickets: Collection[str]) -> bool:
        if has_rule(text) or path_of(text) is None:
            return False
        owner = self._connection.identity
        return any(holds(each, text, owner.key, owner.session) for each in tickets)

    async def _answers(self, topics: Iterable[str]) -> Answers:
        """Ask the rules of these topics that have one, and watch first what they depend on."""
        ruled = [topic for topic in topics if has_rule(topic)]
        answers: Answers = {}
        unsure = ruled
        for _ in range(MOST_ROUNDS):
            known = await dependencies_of(self._connection.user, unsure)
            answers |= {text: Answer.FAILED for text, named in known.items() if named is None}
            # What names them may have changed, and told of it, before they were watched.
            unsure = [
                text
                for text, named in known.items()
                if named is not None and await self._watch(text, named)
            ]
            if not unsure:
                break
        asked = [text for text in ruled if text not in answers]
        return answers | await ask_all(self._connection.user, asked)

    async def _watch(self, text: str, dependencies: Collection[Topic]) -> bool:
        """Depend on these from now on, and on no others; say whether any is new."""
        is_new = False
        for dependency in dependencies:
            if self._connection.has_ended:
                return False
            if dependency not in self._depend:
                await self._connection.hub.subscribe(self, dependency)
            concerned = self._depend.setdefault(dependency, set())
            is_new = is_new or text not in concerned
            concerned.add(text)
        self._drop({text}, kept=dependencies)
        return is_new

    def _drop(self, texts: Collection[str], kept: Collection[Topic] = ()) -> None:
        """Depend no longer for these on other topics than those that are kept."""
        unwanted = []
        for dependency, concerned in list(self._depend.items()):
            if dependency not in kept:
                concerned.difference_update(texts)
                if not concerned:
                    del self._depend[dependency]
                    unwanted.append(dependency)
        last = self._connection.hub.leave(self, *unwanted)
        if last:
            self._connection.spawn(self._connection.hub.unwatch(last))

    def _begin(self) -> None:
        if not self._asks:
            self._asks = True
            self._connection.spawn(self._ask_again())

    async def _ask_again(self) -> None:
        try:
            while self._doubted or self._user_in_doubt is not None:
                strict, self._doubted = self._doubted, {}
                self._held = frozenset(strict)
                if not await self._user_may_stay():
                    await self._connection.close(CloseCode.NOT_AUTHENTICATED)
                    return
                await self._judge(strict)
        finally:
            self._asks = False

    async def _user_may_stay(self) -> bool:
        """Look at the user anew; permissions are kept with one, so their rules need that too."""
        is_strict, self._user_in_doubt = self._user_in_doubt, None
        identity = self._connection.identity
        try:
            return await identity.look_again()
        except Exception:
            if not is_strict:
                # The rules are asked all the same, and the net comes again.
                logger.warning("cannot find out whether a user is still there", exc_info=True)
                return True
        await asyncio.sleep(RETRY)
        return await identity.look_again()

    async def _judge(self, strict: Mapping[Topic, bool]) -> None:
        """Ask the rules; what a ticket opened, and has no rule, holds on."""
        answers = await self._answers(strict)
        failed = [each for each in strict if answers.get(each) is Answer.FAILED and strict[each]]
        await self._settle([each for each in strict if each not in failed], answers)
        if failed:
            await asyncio.sleep(RETRY)
            answers = await self._answers(failed)
            await self._settle(failed, answers, is_strict=True)
        # The client may have given up some while they were asked for.
        self._drop(set(strict).difference(self._connection.topics, self._asking))

    async def _settle(
        self, topics: Iterable[Topic], answers: Answers, *, is_strict: bool = False
    ) -> None:
        no = {Answer.NO, Answer.FAILED} if is_strict else {Answer.NO}
        # What the client gave up meanwhile is nothing to tell it of.
        held = [topic for topic in topics if topic in self._held]
        self._held = self._held.difference(held)
        refused = [topic for topic in held if answers.get(topic) in no]
        for topic in held:
            if topic not in refused:
                self._connection.mailbox.release(topic)
        await self._revoke(refused)

    async def _revoke(self, topics: list[Topic]) -> None:
        """End these, and say so. A client that waits for an answer gets that one instead."""
        if not topics:
            return
        counters.revoked += len(topics)
        pending = set(self._connection.pending.values())
        waiting = [topic for topic in topics if topic in pending]
        ended = [topic for topic in topics if topic not in pending]
        await self._connection.unsubscribe(topics)
        if ended:
            await self._connection.send(Revoked([str(topic) for topic in ended]))
        if waiting:
            await self._connection.send(Denied(dict.fromkeys(map(str, waiting), NOT_ALLOWED)))
