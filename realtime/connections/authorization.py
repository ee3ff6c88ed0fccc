"""Asking the rules for one connection: when it subscribes, and again when the answer may change.

A rule may name the topics on which its answer depends. They are watched from before the rule is
asked. When one of them changes, what was granted is in doubt: its messages are held from that
moment on, the rule is asked again, and either they go out or the client is told `revoked` and they
are dropped. Every RECHECK all is asked again, since not everything that a rule reads tells of its
changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine, Iterable, Mapping
from typing import Any, Protocol

from realtime.access.dependencies import dependencies_of
from realtime.access.evaluate import Answer, Answers, ask_all
from realtime.access.identity import Identity
from realtime.access.refusals import ticket_checks
from realtime.access.rules import has_rule, path_of, question_of
from realtime.access.tickets import holds
from realtime.connections.subscriptions import (
    CHANGED,
    RECHECK,
    TICKET,
    Doubt,
    State,
    Subscription,
    Subscriptions,
)
from realtime.hub.hub import Hub
from realtime.messages.message import Message
from realtime.messages.topics import Topic
from realtime.protocol import CloseCode, Denied, Frame, Revoked
from realtime.telemetry import counters

logger = logging.getLogger("realtime.access")

NOT_ALLOWED = "not allowed"
"""The one reason for every refusal: a topic that does not exist looks like one that is secret."""

RETRY = 0.5
"""Seconds behind which a rule that failed is asked once more, before what it granted is revoked."""

MOST_ROUNDS = 4
"""How often `depends` is asked until it names what is watched already."""

Questions = Mapping[Topic, Subscription]
"""Subscriptions of which the rules are being asked again."""


class Client(Protocol):
    """What an Authorization needs of its connection, which owns it."""

    identity: Identity
    hub: Hub
    subscriptions: Subscriptions[Topic]
    has_ended: bool

    @property
    def user(self) -> Any:
        """The user, as of the last check."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that ends with the connection."""

    def leave(self, topics: Iterable[Topic]) -> list[Topic]:
        """End subscriptions; return the topics to pass to the hub's `unwatch()`."""

    async def unsubscribe(self, topics: Iterable[Topic]) -> None:
        """End subscriptions, in whatever state they are."""

    async def send(self, frame: Frame) -> None:
        """Send a frame."""

    async def close(self, code: CloseCode) -> None:
        """Close the connection."""


class Authorization:
    """Who asks the rules for one connection. Owner: its event loop.

    One task at a time asks again for what is held, and one for what tickets opened.

    `connection.subscriptions` has the state of each subscription. To the hub this is a mailbox: it
    is put the messages of the topics on which the rules' answers depend.

    A task that is cancelled while it asks again belongs to a connection that ends.
    """

    # One for each client: without a dict for its attributes it takes less.
    __slots__ = ("_asks", "_asks_behind", "_connection", "_depend", "_user_in_doubt")

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._depend: dict[Topic, set[Topic]] = {}
        """Which subscriptions depend on each of these topics."""
        self._user_in_doubt: bool | None = None
        """Is it in doubt whether the user may be here; strictly, or by the recheck alone?"""
        self._asks = False
        """Is a task asking again?"""
        self._asks_behind = False
        """Is a task asking behind tickets, or waiting for its turn to?"""

    def open(self, wanted: Mapping[str, Collection[str]]) -> list[Topic]:
        """Grant what the tickets given for it open, and return it; each is PENDING then.

        Those that have a rule are in doubt, and are not held for that. `ask_behind()` asks.
        """
        subscriptions = self._connection.subscriptions
        opened = [Topic(text) for text, tickets in wanted.items() if self._opens(text, tickets)]
        for topic in opened:
            subscriptions.grant(topic)
        subscriptions.doubt(filter(has_rule, opened), TICKET)
        return opened

    def ask_behind(self) -> None:
        """Let a task ask the rules of what tickets opened. Call it once the client is served."""
        if not self._asks_behind and self._connection.subscriptions.has_question(held=False):
            self._asks_behind = True
            self._connection.spawn(self._ask_behind())

    async def ask(self, wanted: Iterable[str]) -> list[Topic]:
        """Return which of these topics the rules let the client watch; each is PENDING then.

        What is watched already and refused now is watched no more.
        """
        subscriptions = self._connection.subscriptions
        topics = [Topic(text) for text in wanted if path_of(text) is not None]
        subscriptions.ask(topics)
        try:
            answers = await self._answers(topics)
            if self._connection.has_ended:
                return []  # a rule that cannot be cancelled went on
            self._note(answers)
            granted = [topic for topic in topics if answers.get(topic) is Answer.YES]
            await self._connection.unsubscribe(set(topics).difference(granted))
            for topic in granted:
                subscriptions.grant(topic)
        finally:
            # Also of a task that is cancelled above: what it asked for depends on nothing.
            self.forget([topic for topic in topics if topic not in subscriptions.cursors])
            subscriptions.unask(topics)
        # What was said may have been true a moment ago.
        self._begin()
        return granted

    def doubt(self, topics: Iterable[Topic], doubt: Doubt = CHANGED) -> None:
        """Ask again for these, and hold what is told of them meanwhile."""
        self._connection.subscriptions.doubt(topics, doubt)
        self._begin()

    def doubt_all(self, *, strict: bool = True) -> None:
        """Ask again for everything, and whether the user may be here at all.

        Where `strict`, a rule that fails has said no; else what it said before stands.
        """
        self._user_in_doubt = self._user_in_doubt or strict
        self._connection.subscriptions.doubt_all(CHANGED if strict else RECHECK)
        self._begin()

    def put(self, message: Message) -> None:
        """Take a message of a topic on which grants depend; from the hub."""
        if not message.changes and message.reset is None:
            return  # It says only how far we have been told.
        self.doubt(self._depend.get(message.topic, ()))

    def discard(self, topic: Topic) -> None:
        """Forget what waits of a topic: nothing does. From the hub."""

    def forget(self, topics: Iterable[Topic]) -> None:
        """Depend on nothing for these any longer; call it before the subscriptions end.

        What a ticket opened, and no rule has judged, counts as refused from here on: else a client
        that leaves early, again and again, would never hear the rule's no.
        """
        topics = set(topics)
        subscriptions = self._connection.subscriptions
        for topic in topics:
            known = subscriptions.unsettled(topic)
            if known is not None and not known.has_ended and Doubt.UNPROVEN in known.in_doubt:
                ticket_checks().refusals.add(self._connection.identity, topic)
        self._drop(topics)

    def leave(self) -> list[Topic]:
        """Depend on nothing; return what the hub need not watch any longer."""
        dependencies, self._depend = list(self._depend), {}
        return self._connection.hub.leave(self, *dependencies)

    def _opens(self, text: str, tickets: Collection[str]) -> bool:
        """Does one of these tickets open this topic, before a rule is asked?"""
        owner = self._connection.identity
        if not tickets or path_of(text) is None:
            return False
        if has_rule(text) and (
            question_of(text) is None or ticket_checks().refusals.may_include(owner, text)
        ):
            return False
        return any(holds(each, text, owner.key, owner.session) for each in tickets)

    def _note(self, answers: Answers) -> None:
        """Remember what was refused, and forget what is allowed by now."""
        refusals, owner = ticket_checks().refusals, self._connection.identity
        for text, answer in answers.items():
            if answer is Answer.YES:
                refusals.forget(owner, text)
            elif question_of(text) is not None:
                refusals.add(owner, text)

    async def _answers(self, topics: Iterable[Topic]) -> Answers:
        """Ask the rules of these topics that have one, and watch first what they depend on."""
        ruled = [topic for topic in topics if has_rule(topic)]
        answers: Answers = {}
        unsure = ruled
        for _ in range(MOST_ROUNDS):
            known = await dependencies_of(self._connection.user, unsure)
            answers |= {text: Answer.FAILED for text, named in known.items() if named is None}
            # What names them may have changed, and told of it, before they were watched.
            unsure = [
                topic
                for topic in unsure
                if (named := known[topic]) is not None and await self._watch(topic, named)
            ]
            if not unsure:
                break
        asked = [topic for topic in ruled if topic not in answers]
        return answers | await ask_all(self._connection.user, asked)

    async def _watch(self, topic: Topic, dependencies: Collection[Topic]) -> bool:
        """Depend on these from now on, and on no others; say whether any is new."""
        is_new = False
        for dependency in dependencies:
            if self._connection.has_ended:
                return False
            if dependency not in self._depend:
                await self._connection.hub.subscribe(self, dependency)
            concerned = self._depend.setdefault(dependency, set())
            is_new = is_new or topic not in concerned
            concerned.add(topic)
        self._drop({topic}, kept=dependencies)
        return is_new

    def _drop(self, topics: Collection[Topic], kept: Collection[Topic] = ()) -> None:
        """Depend no longer for these on other topics than those that are kept."""
        unwanted = []
        for dependency, concerned in list(self._depend.items()):
            if dependency not in kept:
                concerned.difference_update(topics)
                if not concerned:
                    del self._depend[dependency]
                    unwanted.append(dependency)
        last = self._connection.hub.leave(self, *unwanted)
        if last:
            self._connection.spawn(self._connection.hub.unwatch(last))

    def _begin(self) -> None:
        """Let a task ask what is in doubt and held, if none does."""
        if self._asks:
            return
        is_needed = self._connection.subscriptions.has_question(held=True)
        if is_needed or self._user_in_doubt is not None:
            self._asks = True
            self._connection.spawn(self._ask_again())

    async def _ask_again(self) -> None:
        subscriptions = self._connection.subscriptions
        try:
            while (
                questions := subscriptions.question(held=True)
            ) or self._user_in_doubt is not None:
                if not await self._user_may_stay():
                    await self._connection.close(CloseCode.NOT_AUTHENTICATED)
                    return
                await self._judge(questions, await self._answers(questions))
        finally:
            self._asks = False

    async def _ask_behind(self) -> None:
        """Ask the rules of what tickets opened, when it is this connection's turn.

        While it waits, something on which an answer depends may change. Then the subscription is
        held, and the other task asks at once.
        """
        subscriptions, turns = self._connection.subscriptions, ticket_checks().turns
        try:
            while subscriptions.has_question(held=False):
                async with turns:
                    questions = subscriptions.question(held=False)
                    answers = await self._answers(questions)
                await self._judge(questions, answers)
        finally:
            self._asks_behind = False

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

    async def _judge(self, questions: Questions, answers: Answers) -> None:
        """Do what the rules said; what a ticket opened, and has no rule, stays open.

        A rule that failed is asked once more where that decides.
        """
        failed = {
            topic: each
            for topic, each in questions.items()
            if answers.get(topic) is Answer.FAILED and Doubt.REVOKES in each.question
        }
        settled = {topic: each for topic, each in questions.items() if topic not in failed}
        self._note({t: said for t, said in answers.items() if said is not Answer.FAILED})
        await self._settle(settled, {t for t in settled if answers.get(t) is Answer.NO})
        if failed:
            await asyncio.sleep(RETRY)
            answers = await self._answers(failed)
            self._note(answers)
            no = {Answer.NO, Answer.FAILED}
            await self._settle(failed, {t for t in failed if answers.get(t) in no})
        # The client may have given up some while they were asked for.
        gone = (None, State.ENDED)
        self._drop([t for t in questions if self._connection.subscriptions.state(t) in gone])
        # A doubt that came while the other kind of question was asked had to wait for it.
        self._begin()
        self.ask_behind()

    async def _settle(self, questions: Questions, refused: Collection[Topic]) -> None:
        """Let what is not refused go on, and revoke the rest."""
        for topic, each in questions.items():
            if topic not in refused:
                self._connection.subscriptions.keep(topic, each)
        # What the client gave up meanwhile is nothing to tell it of.
        await self._revoke([topic for topic in refused if not questions[topic].has_ended])

    async def _revoke(self, topics: list[Topic]) -> None:
        """End these, and say so. A client that waits for an answer gets that one instead."""
        if not topics:
            return
        counters.revoked += len(topics)
        connection = self._connection
        pending = connection.subscriptions.pending(topics)
        last = connection.leave(topics)
        # Before anything is awaited: the client may ask again, and is told the answer behind this.
        if ended := [str(topic) for topic in topics if topic not in pending]:
            await connection.send(Revoked(ended))
        if pending:
            await connection.send(Denied(dict.fromkeys(map(str, pending), NOT_ALLOWED)))
        await connection.hub.unwatch(last)
