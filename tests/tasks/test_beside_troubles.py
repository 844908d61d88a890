"""What goes wrong while facts are read beside the source ends as if they had been read before."""

from collections.abc import Callable

import pytest

from db.models import Feed, Source, User
from db.models_limits import Breaker
from db.states import Lane
from simulators.faults import Fault
from tasks import sync
from tests.tasks.away import faults_of
from tests.tasks.meeting import (
    FACTS,
    GOAL,
    PERSON,
    PUSHED,
    SOURCE,
    Meeting,
    after,
    asked,
    facts_threads,
    quiet,
    work,
)
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows
from tests.world import TOKEN, World

LISTS = ["/api/v1/users/me/goals.json", "/api/v1/users/me/goals/archived.json"]
OLD = 700.0  # seconds after which facts are read before the source is asked
WAYS = pytest.mark.parametrize("later", [PUSHED, OLD], ids=["beside", "before"])


def freeze(world: World) -> None:
    """The goal is frozen."""
    world.beeminder.state.change_goal("alice", "energy", frozen=True)


def archive(world: World) -> None:
    """It is put away."""
    world.beeminder.state.change_goal("alice", "energy", archived=True)


def delete(world: World) -> None:
    """It is gone."""
    world.beeminder.state.delete_goal("alice", "energy")


ONCE = ["goal", "person"]
GONE = {
    freeze: ("paused", "goal_frozen", ONCE),
    archive: ("paused", "goal_archived", ONCE),
    delete: ("failing", "goal_not_found", [*LISTS, *ONCE]),
}


def stands(world: World) -> tuple[str, str | None]:
    """How the feed stands, and why."""
    feed = world.feed()
    return feed.state, feed.reason


@WAYS
@pytest.mark.parametrize("gone", GONE)
def test_a_goal_that_is_gone_meanwhile_gets_nothing(
    world: World, landed: None, gone: Callable[[World], None], later: float
) -> None:
    """Its feed rests or fails, nothing is sent, and nothing is asked twice to find that out."""
    event_id = after(world, later)
    if later == OLD:
        gone(world)
    meeting = Meeting(first=SOURCE, then=FACTS, between=lambda: gone(world))
    work(world, meeting if later == PUSHED else Meeting())

    assert (*stands(world), asked(world)) == GONE[gone]
    assert world.event(event_id).state == "failed"
    assert world.beeminder.faults.count(method="POST") == 0


FAILS = {
    "limit": ({"status": 429, "retry_after": "120"}, (0, 1, "active")),
    "outage that names a time": ({"status": 503, "retry_after": "120"}, (0, 1, "active")),
    "outage": ({"status": 500}, (1, 0, "active")),
    "silence": ({"action": "reset", "times": None}, (1, 0, "active")),
    "token": ({"status": 401, "body": {"error": "no"}, "times": None}, (1, 0, "reauthorize")),
}


@WAYS
@pytest.mark.parametrize("call", [PERSON, GOAL])
@pytest.mark.parametrize("fails", FAILS)
def test_whatever_beeminder_says_counts_as_ever(
    world: World, landed: None, fails: str, call: str, later: float
) -> None:
    """Attempts, deferrals and the state of the link; nothing is sent of what the source said."""
    fault, expected = FAILS[fails]
    event_id = after(world, later)
    world.beeminder.faults.add(Fault(path=call, **fault))
    work(world, Meeting(first=SOURCE, then=FACTS) if later == PUSHED else Meeting())

    feed, (alice,) = world.feed(), all_rows(world, User)
    assert (feed.attempts, feed.deferrals, alice.state) == expected
    assert world.event(event_id).state == ("failed" if fails == "token" else "working")
    assert world.beeminder.faults.count(method="POST") == 0
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}
    assert all_rows(world, Source)[0].last_error is None


@pytest.mark.parametrize("call", [PERSON, GOAL])
def test_a_gate_that_was_closed_stays_so(world: World, landed: None, call: str) -> None:
    """One refusal; nobody asks before the time that was named, and then the value comes."""
    event_id = after(world)
    world.beeminder.faults.add(Fault(path=call, status=429, retry_after="120"))
    work(world, Meeting(first=SOURCE, then=FACTS))
    before = world.beeminder.faults.count()
    reads = world.bemserver.faults.count(SOURCE)
    for _ in range(3):
        world.clock.advance(30)
        world.call_back()
        work(world, Meeting())
    assert (world.beeminder.faults.count(), world.bemserver.faults.count(SOURCE)) == (before, reads)

    world.clock.advance(40)
    work(world, Meeting())

    assert world.values()[TODAY] == 3.5
    assert world.event(event_id).state == "done"


@pytest.mark.parametrize("call", [PERSON, GOAL, FACTS])
def test_an_outage_of_beeminder_is_counted_once(world: World, landed: None, call: str) -> None:
    """One piece of work is one outcome, however many of its requests met silence."""
    after(world)
    world.beeminder.faults.add(Fault(path=call, action="reset", times=None))

    assert sync.run(world.runtime(), Lane.URGENT)

    (counted,) = all_rows(world, Breaker)
    assert (counted.subject, counted.bad) == ("user:1", 1.0)
    assert facts_threads() == []


@WAYS
def test_a_source_that_fails_fails_alone(world: World, landed: None, later: float) -> None:
    """It is counted for the source, and what was read of the person is kept."""
    after(world, later)
    faults_of(world, "source").add(Fault(path=SOURCE, action="reset", times=None))
    began = world.clock.at
    rt = world.runtime()

    assert sync.run(rt, Lane.URGENT)

    assert [(row.subject, row.bad) for row in all_rows(world, Breaker)] == [("source:1", 1.0)]
    assert world.feed().attempts == 1
    assert all_rows(world, User)[0].facts_at == began
    assert all_rows(world, Source)[0].state == "failing"
    assert world.beeminder.faults.count(method="POST") == 0


@pytest.mark.parametrize("both", [True, False])
def test_where_both_fail_it_is_beeminder_that_is_told(
    world: World, landed: None, *, both: bool
) -> None:
    """Both outages count, and the feed waits for what it would have met first."""
    after(world)
    faults_of(world, "link").add(Fault(path=PERSON, action="reset", times=None))
    if both:
        faults_of(world, "source").add(Fault(path=SOURCE, action="reset", times=None))

    assert sync.run(world.runtime(), Lane.URGENT)

    subjects = {row.subject for row in all_rows(world, Breaker)}
    assert subjects == ({"source:1", "user:1"} if both else {"user:1"})
    assert (world.feed().last_error or "").startswith("Beeminder")


def test_a_gate_that_nobody_has_proven_is_tried_by_facts(world: World, landed: None) -> None:
    """It has just opened: one request goes first, and the source is not asked in vain."""
    after(world)
    world.beeminder.faults.add(Fault(path=PERSON, status=429, retry_after="20", times=2))
    work(world, Meeting())
    reads = world.bemserver.faults.count(SOURCE)
    with world.ledger.write() as session:  # as a feed that did not meet the refusal
        feed = session.get_one(Feed, world.feed_id)
        feed.deferred_since, feed.deferrals = None, 0
        session.add(feed)
    world.clock.advance(21)
    world.call_back()

    work(world, Meeting())

    assert world.bemserver.faults.count(SOURCE) == reads


def test_a_token_that_was_replaced_meanwhile_is_used(world: World, landed: None) -> None:
    """Both requests for facts meet the old one, and the push goes on with the new one."""
    quiet(world)
    event_id = after(world)
    tokens = world.beeminder.state.personal_tokens

    def renew() -> None:
        tokens["newer"] = tokens.pop(TOKEN)
        with world.ledger.write() as session:
            alice = session.get_one(User, world.user_id)
            alice.token_cipher = world.vault.encrypt("newer")
            alice.token_version += 1
            session.add(alice)

    work(world, Meeting(first=SOURCE, then=FACTS, between=renew))

    assert world.event(event_id).state == "done"
    assert world.values()[TODAY] == 3.5
    refused = [request for request in world.beeminder.faults.requests if request.status == 401]
    assert len(refused) == 1
