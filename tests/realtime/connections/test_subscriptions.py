"""The state machine of subscriptions against a simple model."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime.connections.subscription import CHANGED, RECHECK, TICKET, Doubt, State, Subscription
from realtime.connections.subscriptions import Subscriptions

KEYS = ["list:1", ("view", 2)]
"""Any hashable object is a key."""

keys = st.sampled_from(KEYS)


class Held:
    """A mailbox for the machine that fails at each wrong hold or release."""

    def __init__(self) -> None:
        self.held: set[object] = set()
        self.mistakes: list[str] = []
        self.discarded: Counter[object] = Counter()

    def hold(self, key: object) -> None:
        if key in self.held:
            self.mistakes.append(f"{key} is held twice")
        self.held.add(key)

    def release(self, key: object) -> None:
        if key not in self.held:
            self.mistakes.append(f"{key} is released twice")
        self.held.discard(key)

    def discard(self, key: object) -> None:
        self.discarded[key] += 1


@dataclass
class Life:
    """The model of one subscription, from its first request to its end."""

    is_granted: bool = False
    is_asked: bool = False
    unconfirmed: int = 0
    doubts: list[Doubt] = field(default_factory=list)
    """Doubts for which the rule has not been asked yet."""
    asking: list[Doubt] = field(default_factory=list)
    """Doubts for which the rule is being asked."""

    @property
    def state(self) -> State:
        if not self.is_granted:
            return State.ASKED
        if self.unconfirmed:
            return State.PENDING
        return State.DOUBTED if self.doubts or self.asking else State.LIVE

    @property
    def is_held(self) -> bool:
        doubts = [*self.doubts, *self.asking]
        return self.is_granted and bool(self.unconfirmed or any(Doubt.HOLDS in d for d in doubts))


class AgainstAModel(RuleBasedStateMachine):
    """Any order of requests, answers, confirmations, doubts and ends."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.holder = Held()
        self.machine: Subscriptions[object] = Subscriptions(self.holder)
        self.lives: dict[object, Life] = {}
        self.unconfirmed: list[tuple[object, Subscription, Life, asyncio.Future[None]]] = []
        self.questions: list[tuple[object, Subscription, Life]] = []
        self.cancelled: Counter[object] = Counter()

    def teardown(self) -> None:
        self.machine.end(self.machine.keys())
        self.settle_tasks()
        assert not self.holder.held
        assert not self.machine.cursors
        assert not self.machine._unsettled
        self.loop.close()

    def settle_tasks(self) -> None:
        """Let cancelled tasks end, as the event loop does."""
        self.loop.run_until_complete(asyncio.sleep(0))

    @rule(key=keys)
    def ask(self, key: object) -> None:
        self.machine.ask([key])
        self.lives.setdefault(key, Life()).is_asked = True

    @rule(key=keys)
    def give_up_asking(self, key: object) -> None:
        """A rule gives no answer: its task was cancelled."""
        self.machine.unask([key])
        life = self.lives.get(key)
        if life is not None:
            life.is_asked = False
            if not life.is_granted:
                del self.lives[key]

    @rule(key=keys)
    def grant(self, key: object) -> None:
        subscription = self.machine.grant(key)
        life = self.lives.setdefault(key, Life())
        life.is_asked, life.is_granted = False, True
        life.unconfirmed += 1
        task: asyncio.Future[None] = self.loop.create_future()
        self.machine.begin(key, subscription, task)
        self.unconfirmed.append((key, subscription, life, task))

    @precondition(lambda self: self.unconfirmed)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        """Tasks of ended subscriptions may be confirmed late, too."""
        which = data.draw(st.sampled_from(range(len(self.unconfirmed))))
        key, subscription, life, task = self.unconfirmed.pop(which)
        is_told = self.machine.confirm(key, subscription)
        assert is_told is (self.lives.get(key) is life)
        life.unconfirmed -= 1
        if not task.done():
            task.set_result(None)

    @rule(key=keys, doubt=st.sampled_from([CHANGED, RECHECK, TICKET]))
    def doubt(self, key: object, doubt: Doubt) -> None:
        self.machine.doubt([key], doubt)
        self._doubt(key, doubt)

    @rule(doubt=st.sampled_from([CHANGED, RECHECK]))
    def doubt_all(self, doubt: Doubt) -> None:
        self.machine.doubt_all(doubt)
        for key in self.lives:
            self._doubt(key, doubt)

    def _doubt(self, key: object, doubt: Doubt) -> None:
        life = self.lives.get(key)
        if life is not None:
            life.doubts.append(doubt if life.is_granted else CHANGED)

    @rule(held=st.booleans())
    def question(self, held: bool) -> None:
        expected = {
            key
            for key, life in self.lives.items()
            if life.is_granted and life.doubts and not life.asking
            if any(Doubt.HOLDS in doubt for doubt in life.doubts) is held
        }
        assert self.machine.has_question(held=held) is bool(expected)
        found = self.machine.question(held=held)
        assert found.keys() == expected
        for key, subscription in found.items():
            life = self.lives[key]
            life.asking, life.doubts = life.doubts, []
            revokes = any(Doubt.REVOKES in doubt for doubt in life.asking)
            assert (Doubt.REVOKES in subscription.question) is revokes
            self.questions.append((key, subscription, life))

    @precondition(lambda self: self.questions)
    @rule(data=st.data(), yes=st.booleans())
    def answer(self, data: st.DataObject, yes: bool) -> None:
        """Also for a subscription that has ended since, or was requested anew."""
        which = data.draw(st.sampled_from(range(len(self.questions))))
        key, subscription, life = self.questions.pop(which)
        assert subscription.has_ended is (self.lives.get(key) is not life)
        if yes:
            self.machine.keep(key, subscription)
            life.asking = []
        elif not subscription.has_ended:
            self.end(key)

    @rule(key=keys)
    def end(self, key: object) -> None:
        """Refused, revoked or unsubscribed: the machine treats them alike."""
        life = self.lives.pop(key, None)
        was_granted = life is not None and life.is_granted
        before = self.holder.discarded[key]
        assert self.machine.end([key]) == ([key] if was_granted else [])
        assert self.holder.discarded[key] - before == was_granted
        assert all(task.cancelled() or task.done() for k, *_, task in self.unconfirmed if k == key)

    @rule()
    def tasks_end(self) -> None:
        self.settle_tasks()

    @rule()
    def connection_ends(self) -> None:
        self.machine.end(self.machine.keys())
        self.lives.clear()
        assert not self.holder.held

    @invariant()
    def states_are_those_of_the_model(self) -> None:
        for key in KEYS:
            life, state = self.lives.get(key), self.machine.state(key)
            if life is None:
                assert state in (None, State.ENDED)
            else:
                assert state is life.state
        pending = {key for key, life in self.lives.items() if life.state is State.PENDING}
        assert set(self.machine.pending()) == pending
        assert set(self.machine.cursors) == {k for k, life in self.lives.items() if life.is_granted}

    @invariant()
    def what_is_held_is_what_the_model_holds(self) -> None:
        assert not self.holder.mistakes
        assert self.holder.held == {key for key, life in self.lives.items() if life.is_held}

    @invariant()
    def a_plainly_live_one_is_no_object(self) -> None:
        for key, life in self.lives.items():
            plain = life.state is State.LIVE and not life.is_asked
            assert (self.machine.unsettled(key) is None) is plain


TestAgainstAModel = AgainstAModel.TestCase
TestAgainstAModel.settings = settings(stateful_step_count=25)


def test_a_doubt_that_comes_while_the_rule_is_asked_is_a_question_of_its_own() -> None:
    """One question at a time: the second is asked when the first is answered."""
    held = Held()
    machine: Subscriptions[str] = Subscriptions(held)
    machine.confirm("list:1", machine.grant("list:1"))
    machine.doubt(["list:1"], TICKET)
    first = machine.question(held=False)
    machine.doubt(["list:1"], CHANGED)

    assert held.held == {"list:1"}
    assert not machine.has_question(held=True)
    machine.keep("list:1", first["list:1"])
    assert machine.question(held=True) == first
    assert held.held == {"list:1"}
    machine.keep("list:1", first["list:1"])
    assert not held.held


async def test_an_ended_subscription_stays_until_its_tasks_are_done() -> None:
    """The next subscription to the key waits for them, since the hub knows only the key."""
    machine: Subscriptions[str] = Subscriptions(Held())
    first = machine.grant("list:1")
    stubborn = asyncio.ensure_future(_ends_after_a_step())
    machine.begin("list:1", first, stubborn)
    await asyncio.sleep(0)

    machine.end(["list:1"])
    assert machine.state("list:1") is State.ENDED
    second = machine.grant("list:1")

    assert second is not first
    assert second.tasks == [stubborn]
    await asyncio.wait([stubborn])
    machine.confirm("list:1", second)
    assert machine.state("list:1") is State.LIVE


async def _ends_after_a_step() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)


def test_the_history_is_read_by_one_task_at_a_time() -> None:
    """One lock while a subscription is unsettled; an idle connection has none."""
    machine: Subscriptions[str] = Subscriptions(Held())
    subscription = machine.grant("list:1")
    turn = machine.turn()
    assert machine.turn() is turn

    machine.confirm("list:1", subscription)

    assert machine._turn is None
