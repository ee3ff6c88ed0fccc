"""Ask the rules for one connection: when it subscribes, and again when an answer may change.

A rule may name the topics on which its answer depends (`depends`). The connection watches them
before it asks the rule. When one of them changes, the subscription is in doubt: its messages are
held, and the rule is asked again. If the rule says yes they are sent, else they are dropped and the
client receives `revoked`. Every RECHECK all rules are asked again, since some of what rules read
sends no message when it changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping

from realtime.access.evaluate import RuleAnswer, RuleAnswers, ask_all
from realtime.access.rules import has_rule, path_of
from realtime.connections.client import Client
from realtime.connections.dependencies import Dependencies
from realtime.connections.subscription import CHANGED, RECHECK, TICKET, Doubt, State, Subscription
from realtime.messages.topics import Topic
from realtime.protocol import CloseCode, Denied, Revoked
from realtime.telemetry import counters

logger = logging.getLogger("realtime.access")

NOT_ALLOWED = "not allowed"
"""The one reason for all refusals: clients cannot tell secret topics from missing ones."""

RETRY = 0.5
"""Seconds until a rule that failed is asked once more, before its subscription is revoked."""

Doubted = Mapping[Topic, Subscription]
"""Subscriptions about which the rules are being asked again."""


class Authorization:
    """Asks the rules for one connection. Owner: its event loop.

    At most one task asks again about held subscriptions, and at most one about those that tickets
    opened. `connection.subscriptions` has the state of each.

    These tasks are cancelled only when the connection ends.
    """

    # See decision 13.
    __slots__ = ("_asks", "_asks_behind", "_connection", "_dependencies", "_user_in_doubt")

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._dependencies = Dependencies(connection, self)
        self._user_in_doubt: bool | None = None
        """Must the user be checked again? True: a failure closes; False: recheck; None: no."""
        self._asks = False
        """True while a task asks about held subscriptions."""
        self._asks_behind = False
        """True while a task asks about subscriptions by ticket, or waits for its turn."""

    def open(self, wanted: Mapping[str, Collection[str]]) -> list[Topic]:
        """Grant the topics that their tickets open, and return them; each is PENDING then.

        Those that have a rule are in doubt, but are not held. `ask_behind()` asks their rules.
        """
        subscriptions, checks = self._connection.subscriptions, self._connection.ticket_checks
        owner = self._connection.identity
        opened = [Topic(text) for text, each in wanted.items() if checks.opens(owner, text, each)]
        for topic in opened:
            subscriptions.grant(topic)
        subscriptions.doubt(filter(has_rule, opened), TICKET)
        return opened

    def ask_behind(self) -> None:
        """Start a task that asks the rules of topics opened by ticket, once they are confirmed."""
        if not self._asks_behind and self._connection.subscriptions.has_question(held=False):
            self._asks_behind = True
            self._connection.spawn(self._ask_behind())

    async def ask(self, wanted: Iterable[str]) -> list[Topic]:
        """Return those of these topics that the rules grant; each is PENDING then.

        An existing subscription that is refused now ends.
        """
        subscriptions = self._connection.subscriptions
        topics = [Topic(text) for text in wanted if path_of(text) is not None]
        subscriptions.ask(topics)
        asked = {topic: subscriptions.unsettled(topic) for topic in topics}
        try:
            answers = await self._answers(topics)
            if self._connection.has_ended:
                return []  # it ended while a rule ran in a thread, which cannot be cancelled
            granted = [topic for topic in topics if answers.get(topic) is RuleAnswer.YES]
            # An earlier subscription was revoked meanwhile: this yes may be older than that no.
            stale = [topic for topic in granted if (each := asked[topic]) and each.has_ended]
            self._note({topic: said for topic, said in answers.items() if topic not in stale})
            for topic in granted:
                subscriptions.grant(topic)
            subscriptions.doubt(stale, CHANGED)
            await self._connection.unsubscribe(set(topics).difference(granted))
        finally:
            # Also when the task is cancelled above: refused topics keep no dependencies.
            self.forget([topic for topic in topics if topic not in subscriptions.cursors])
            subscriptions.unask(topics)
        # A dependency may have changed while the rules were asked.
        self._begin()
        return granted

    def doubt(self, topics: Iterable[Topic], doubt: Doubt = CHANGED) -> None:
        """Ask the rules of these topics again, and hold their messages meanwhile."""
        self._connection.subscriptions.doubt(topics, doubt)
        self._begin()

    def doubt_all(self, *, strict: bool = True) -> None:
        """Ask about all subscriptions again, and check the user again.

        With `strict` a rule that fails denies; else its earlier answer stands.
        """
        self._user_in_doubt = self._user_in_doubt or strict
        self._connection.subscriptions.doubt_all(CHANGED if strict else RECHECK)
        self._begin()

    def forget(self, topics: Iterable[Topic]) -> None:
        """Drop the dependencies of these topics; call it before the subscriptions end.

        A topic opened by ticket, whose rule has not answered yet, counts as refused from now on:
        else a client that unsubscribes early each time would never receive the rule's refusal.
        """
        topics = set(topics)
        subscriptions = self._connection.subscriptions
        for topic in topics:
            known = subscriptions.unsettled(topic)
            if known is not None and not known.has_ended and Doubt.UNPROVEN in known.in_doubt:
                self._connection.ticket_checks.refusals.add(self._connection.identity, topic)
        self._dependencies.drop(topics)

    def leave(self) -> list[Topic]:
        """Drop all dependencies; return the topics that the hub is to unwatch."""
        return self._dependencies.leave()

    def _note(self, answers: RuleAnswers) -> None:
        """Remember the refusals, and forget those of topics that are granted now."""
        self._connection.ticket_checks.note(self._connection.identity, answers)

    async def _answers(self, topics: Iterable[Topic]) -> RuleAnswers:
        """Watch the dependencies of these topics, then ask the rules of those that have one."""
        ruled = [topic for topic in topics if has_rule(topic)]
        failed = await self._dependencies.watch(ruled)
        answers: RuleAnswers = dict.fromkeys(failed, RuleAnswer.FAILED)
        asked = [topic for topic in ruled if topic not in answers]
        return answers | await ask_all(self._connection.user, asked)

    def _begin(self) -> None:
        """Start a task that asks about held subscriptions, if they need it and none runs."""
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
        """Ask the rules of topics opened by ticket, when it is this connection's turn.

        A dependency may change while this waits. Then the subscription is held, and the other task
        asks at once.
        """
        subscriptions, turns = self._connection.subscriptions, self._connection.ticket_checks.turns
        try:
            while subscriptions.has_question(held=False):
                async with turns:
                    questions = subscriptions.question(held=False)
                    answers = await self._answers(questions)
                await self._judge(questions, answers)
        finally:
            self._asks_behind = False

    async def _user_may_stay(self) -> bool:
        """Load the user again; rules need that too, since a user object caches permissions."""
        is_strict, self._user_in_doubt = self._user_in_doubt, None
        identity = self._connection.identity
        try:
            return await identity.look_again()
        except Exception:
            if not is_strict:
                # The rules are asked all the same, and the next recheck tries again.
                logger.warning("cannot find out whether a user is still there", exc_info=True)
                return True
        await asyncio.sleep(RETRY)
        return await identity.look_again()

    async def _judge(self, questions: Doubted, answers: RuleAnswers) -> None:
        """Keep or revoke the subscriptions by the answers; one by ticket without a rule is kept.

        A rule that failed is asked once more if a second failure revokes.
        """
        failed = {
            topic: each
            for topic, each in questions.items()
            if answers.get(topic) is RuleAnswer.FAILED and Doubt.REVOKES in each.question
        }
        settled = {topic: each for topic, each in questions.items() if topic not in failed}
        self._note({t: said for t, said in answers.items() if said is not RuleAnswer.FAILED})
        await self._settle(settled, {t for t in settled if answers.get(t) is RuleAnswer.NO})
        if failed:
            await asyncio.sleep(RETRY)
            answers = await self._answers(failed)
            self._note(answers)
            no = {RuleAnswer.NO, RuleAnswer.FAILED}
            await self._settle(failed, {t for t in failed if answers.get(t) in no})
        # The client may have unsubscribed from some meanwhile.
        gone = (None, State.ENDED)
        self._dependencies.drop(
            [t for t in questions if self._connection.subscriptions.state(t) in gone]
        )
        # A doubt of one kind waits while a question of the other kind is open.
        self._begin()
        self.ask_behind()

    async def _settle(self, questions: Doubted, refused: Collection[Topic]) -> None:
        """Keep the subscriptions that are not refused, and revoke the others."""
        for topic, each in questions.items():
            if topic not in refused:
                self._connection.subscriptions.keep(topic, each)
        # The client is not told `revoked` of topics that it unsubscribed from meanwhile.
        await self._revoke([topic for topic in refused if not questions[topic].has_ended])

    async def _revoke(self, topics: list[Topic]) -> None:
        """End these and send `revoked`; for those that wait for confirmation, `denied`."""
        if not topics:
            return
        counters.revoked += len(topics)
        connection = self._connection
        pending = connection.subscriptions.pending(topics)
        last = connection.leave(topics)
        # Queued before anything is awaited: if the client asks again, that answer comes later.
        if ended := [str(topic) for topic in topics if topic not in pending]:
            await connection.send(Revoked(ended))
        if pending:
            await connection.send(Denied(dict.fromkeys(map(str, pending), NOT_ALLOWED)))
        await connection.hub.unwatch(last)
