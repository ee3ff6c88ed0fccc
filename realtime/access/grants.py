"""What one connection may watch: asked when it subscribes, and again whenever that may change.

A rule may name the topics on which its answer depends. They are watched from before the rule is
asked. When one of them changes, what was granted is in doubt: its messages are held from that
moment on, the rule is asked again, and either they go out or the client is told `revoked` and never
hears of them. And every so often all is asked again, since not everything that a rule looks at
tells of its changes.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from realtime.access.asking import Answer, Answers, ask_all
from realtime.access.rules import has_rule, path_of, question_of
from realtime.access.threads import in_time
from realtime.access.tickets import holds
from realtime.counters import counters
from realtime.exceptions import InvalidTopic
from realtime.messages import Message
from realtime.protocol import CloseCode, Denied, Revoked
from realtime.topics import Topic

if TYPE_CHECKING:
    from realtime.connection import Connection

logger = logging.getLogger("realtime.access")

NOT_ALLOWED = "not allowed"
"""The one reason for every refusal: a topic that does not exist looks like one that is secret."""

RETRY = 0.5
"""Seconds behind which a rule that failed is asked once more, before what it granted is revoked."""


class Grants:
    """The grants of one connection. Owner: its event loop; one task at a time asks again.

    To the hub it is a mailbox: it is put what happens to the topics on which grants depend.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._depend: dict[Topic, set[str]] = {}
        """What depends on each of these topics."""
        self._stale: set[str] = set()
        """What changed its dependencies while it was asked for."""
        self._doubted: dict[Topic, bool] = {}
        """What is to be asked again; and whether a rule that fails then has said no."""
        self._held: set[Topic] = set()
        self._user_in_doubt = False
        self._asks = False

    async def ask(self, wanted: Mapping[str, Collection[str]]) -> list[Topic]:
        """Return which of these topics the client may watch; they are in `connection.topics` then.

        `wanted` gives the tickets that came with each: they open what has no rule.
        """
        ruled = [text for text in wanted if has_rule(text)]
        asked = await self._watch_dependencies(ruled)
        answers = await ask_all(self._connection.user, asked)
        granted = [
            Topic(text)
            for text in wanted
            if answers.get(text) is Answer.YES or self._has_ticket(text, wanted[text])
        ]
        topics = self._connection.topics
        for topic in granted:
            topics.setdefault(topic, None)
        self.forget(text for text in asked if text not in topics)
        # What was said may have been true a moment ago; and what is refused may be watched still.
        refused = set(wanted).difference(granted)
        doubtful = self._stale.intersection(wanted) | refused.intersection(topics)
        self._stale -= doubtful
        self.doubt([topic for topic in topics if topic in doubtful])
        return granted

    def doubt(self, topics: Iterable[Topic], *, strict: bool = True) -> None:
        """Ask again for these, and hold what is told of them meanwhile.

        Where `strict`, a rule that fails has said no; else what it said before holds on.
        """
        for topic in topics:
            if topic not in self._doubted:
                self._connection.mailbox.hold(topic)
            self._doubted[topic] = self._doubted.get(topic, False) or strict
        if self._doubted or self._user_in_doubt:
            self._begin()

    def doubt_all(self, *, strict: bool = True) -> None:
        """Ask again for everything, and whether the user may be here at all."""
        self._user_in_doubt = True
        self.doubt(list(self._connection.topics), strict=strict)

    def put(self, message: Message) -> None:
        """Take a message of a topic on which grants depend; from the hub."""
        concerned = self._depend.get(message.topic, set())
        topics = self._connection.topics
        self._stale.update(concerned)
        self.doubt([topic for topic in topics if topic in concerned])

    def discard(self, topic: Topic) -> None:
        """Forget what waits of a topic: nothing does. From the hub."""

    def forget(self, topics: Iterable[str]) -> None:
        """Depend on nothing for these any longer."""
        gone = set(topics)
        self._stale -= gone
        for topic in gone & self._doubted.keys():
            del self._doubted[Topic(topic)]
        self._held -= gone
        unwanted = []
        for dependency, concerned in list(self._depend.items()):
            concerned.difference_update(gone)
            if not concerned:
                del self._depend[dependency]
                unwanted.append(dependency)
        last = self._connection.hub.leave(self, *unwanted)
        if last:
            self._connection.spawn(self._connection.hub.unwatch(last))

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

    async def _watch_dependencies(self, ruled: Iterable[str]) -> list[str]:
        """Watch what answers depend on; return the topics for which a rule can be asked."""
        asked = []
        for text in ruled:
            try:
                found = await self._dependencies(text)
            except Exception:
                logger.exception("cannot say on what %s depends; the answer is no", text)
                continue
            asked.append(text)
            for dependency in found:
                if dependency not in self._depend:
                    await self._connection.hub.subscribe(self, dependency)
                self._depend.setdefault(dependency, set()).add(text)
        return asked

    async def _dependencies(self, text: str) -> list[Topic]:
        question = question_of(text)
        depends = question and question.asked.depends
        if not question or not depends:
            return []
        arguments = (self._connection.user, *question.arguments)
        if inspect.iscoroutinefunction(depends):
            found = await depends(*arguments)
        else:
            found = await in_time(lambda: list(depends(*arguments)))
        return [_watchable(each) for each in found]

    def _begin(self) -> None:
        if not self._asks:
            self._asks = True
            self._connection.spawn(self._ask_again())

    async def _ask_again(self) -> None:
        try:
            while self._doubted or self._user_in_doubt:
                strict, self._doubted = self._doubted, {}
                self._held = set(strict)
                if not await self._user_may_stay():
                    await self._connection.close(CloseCode.NOT_AUTHENTICATED)
                    return
                await self._judge(strict)
        finally:
            self._asks = False

    async def _user_may_stay(self) -> bool:
        """Look at the user anew; permissions are kept with one, so their rules need that too."""
        was_asked, self._user_in_doubt = self._user_in_doubt, False
        identity = self._connection.identity
        try:
            return await identity.look_again()
        except Exception:
            if not was_asked:
                return True  # the rules are asked all the same
            await asyncio.sleep(RETRY)
            return await identity.look_again()

    async def _judge(self, strict: Mapping[Topic, bool]) -> None:
        answers = await self._answers(strict)
        if any(self._is_no(answers[each], strict[each]) for each in strict) and any(
            answers[each] is Answer.FAILED for each in strict
        ):
            await asyncio.sleep(RETRY)
            answers = await self._answers(strict)
        # What the client gave up meanwhile is nothing to tell it of.
        held = [topic for topic in strict if topic in self._held]
        refused = [topic for topic in held if self._is_no(answers[topic], strict[topic])]
        await self._revoke(refused)
        for topic in held:
            if topic not in refused:
                self._connection.mailbox.release(topic)

    async def _answers(self, topics: Iterable[Topic]) -> Answers:
        """Ask the rules; what a ticket opened, and has no rule, holds on."""
        ruled = [topic for topic in topics if has_rule(topic)]
        opened = dict.fromkeys((str(topic) for topic in topics), Answer.YES)
        return opened | await ask_all(self._connection.user, ruled)

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

    @staticmethod
    def _is_no(answer: Answer, strict: bool) -> bool:
        return answer is Answer.NO or (strict and answer is Answer.FAILED)


def _watchable(text: str) -> Topic:
    topic = Topic(text)
    if topic.is_family:
        raise InvalidTopic(f"expected a topic with a key for `depends`, got {text!r}")
    return topic
