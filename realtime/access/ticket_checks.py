"""Decide which topics a ticket opens before their rules are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from realtime.access.evaluate import RuleAnswer, RuleAnswers
from realtime.access.identity import Identity
from realtime.access.refusals import Refusals
from realtime.access.rules import has_rule, path_of, question_of
from realtime.access.tickets import holds
from realtime.conf import conf


class TicketChecks:
    """The refusals of a server, and the queue of connections that ask rules after tickets.

    Owner: an event loop. `turns` is the queue: connections take turns in order, at most half of
    RULE_THREADS at a time. The other threads stay free for clients that wait for their rule.
    """

    def __init__(self) -> None:
        self.refusals = Refusals()
        self.turns = asyncio.Semaphore(max(1, conf.RULE_THREADS // 2))

    def opens(self, identity: Identity, topic: str, tickets: Collection[str]) -> bool:
        """Return whether one of these tickets opens this topic before its rule is asked.

        False if the rule refused the topic to this user within TICKET_AGE.
        """
        if not tickets or path_of(topic) is None:
            return False
        if has_rule(topic) and (
            question_of(topic) is None or self.refusals.may_include(identity, topic)
        ):
            return False
        return any(holds(each, topic, identity.key, identity.session) for each in tickets)

    def note(self, identity: Identity, answers: RuleAnswers) -> None:
        """Remember the refusals, and forget those of topics that are granted now."""
        for topic, answer in answers.items():
            if answer is RuleAnswer.YES:
                self.refusals.forget(identity, topic)
            elif question_of(topic) is not None:
                self.refusals.add(identity, topic)
