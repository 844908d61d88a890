"""Claims and gates: what could not be asked is passed over, and nobody else waits for it."""

import itertools
import sqlite3
from collections import Counter

import pytest
from sqlmodel import select

from db import claiming, claiming_outbox
from db.claiming import CROWDED_BATCH
from db.claiming_gates import ADMITTED
from db.engine import Ledger
from db.feeds import BATCH, Claim
from db.models import Feed, Goal, Source, User
from db.models_limits import Quota
from db.models_points import Datapoint
from db.states import Lane
from tests.db.test_feeds import NOW, claim, finish, row
from tests.tasks.scenes import InThread, at_once

KEY = "vendor:shared"


def fill(
    ledger: Ledger, people: dict[int, int], *, key: str | None = KEY, lane: Lane = Lane.BULK
) -> dict[int, list[int]]:
    """One source with so many due feeds for each person (by id), all behind one gate of the vendor.

    The ids of the feeds by person, who fell due one after the other.
    """
    made = {}
    with ledger.write() as session:
        for number, (person, count) in enumerate(people.items()):
            session.add(User(id=person, username=f"u{person}"))
            session.flush()
            session.add(Source(id=person, user_id=person, name="s", provider="p", quota_key=key))
            session.add(Goal(id=person, user_id=person, slug="g", declared_slug="g"))
            session.flush()
            rows = [
                Feed(
                    goal_id=person,
                    source_id=person,
                    label=f"{n}",
                    metric="m",
                    lane=lane,
                    due_at=NOW - 100 + number,
                )
                for n in range(count)
            ]
            session.add_all(rows)
            session.flush()
            made[person] = [feed.id or 0 for feed in rows]
    return made


def gate(ledger: Ledger, key: str = KEY, **columns: float) -> None:
    """The gate as it is described; open by default."""
    with ledger.write() as session:
        known = session.get(Quota, key)
        if known is not None:
            session.delete(known)
            session.flush()
        session.add(Quota(key=key, **columns))


def put(ledger: Ledger, feed_id: int, **columns: object) -> None:
    """Set columns of a feed."""
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        for name, value in columns.items():
            setattr(feed, name, value)
        session.add(feed)


def ids(claims: list[Claim]) -> list[int]:
    """Which feeds were claimed."""
    return sorted(held.feed_id for held in claims)


CLOSED = {"closed_until": NOW + 60.0}
TAKEN = {"next_free_at": NOW + 5.0}
PROBED = {"closed_until": NOW - 1.0, "probe_until": NOW + 5.0}


@pytest.mark.parametrize("state", [CLOSED, TAKEN, PROBED], ids=["closed", "full", "half open"])
@pytest.mark.parametrize("key", [KEY, "beeminder:1"])
@pytest.mark.parametrize("lane", Lane)
def test_what_a_gate_holds_up_is_passed_over_and_stays_due(
    ledger: Ledger, key: str, state: dict[str, float], lane: Lane
) -> None:
    """Behind the gate of the source or of its owner: not claimed, not counted, not changed."""
    held = fill(ledger, {1: 3}, lane=lane)[1]
    free = fill(ledger, {2: 2}, key="vendor:other", lane=Lane.BULK)[2]
    gate(ledger, key, **state)
    before = [row(ledger, feed_id).model_dump() for feed_id in held]

    assert ids(claim(ledger)) == free
    assert claim(ledger) == []

    assert [row(ledger, feed_id).model_dump() for feed_id in held] == before
    with ledger.read() as session:
        assert claiming.due_sources(session, lane, NOW, at_most=9) == 0
    gate(ledger, key)
    assert ids(claim(ledger)) == held


def test_a_gate_that_is_half_open_wants_somebody_to_go_first(ledger: Ledger) -> None:
    """Nobody is on the way: the feeds behind it are claimed."""
    held = fill(ledger, {1: 3})[1]
    gate(ledger, closed_until=NOW - 1, next_free_at=NOW + 5)
    assert ids(claim(ledger)) == held


@pytest.mark.parametrize(
    ("key", "quota_key"),
    [
        ("beeminder:2", KEY),
        ("beeminder:11", KEY),
        ("beeminder:", KEY),
        ("beeminder:one", KEY),
        ("beeminders:1", KEY),
        ("vendor:other", KEY),
        (KEY, None),
        ("look-up:1", None),
    ],
)
def test_gates_of_others_hold_nobody_up(ledger: Ledger, key: str, quota_key: str | None) -> None:
    """Another person, another account, a key that only looks alike, a source without a gate."""
    held = fill(ledger, {1: 3}, key=quota_key)[1]
    gate(ledger, key, **CLOSED)
    assert ids(claim(ledger)) == held


@pytest.mark.parametrize("lane", Lane)
def test_each_lane_is_let_in_as_long_as_it_may_wait(ledger: Ledger, lane: Lane) -> None:
    """Bulk work is held up while slots are left that something urgent may still take."""
    (feed_id,) = fill(ledger, {1: 1}, lane=lane)[1]
    gate(ledger, next_free_at=NOW + 2 + ADMITTED[lane] + 0.01, tolerance=2.0)
    assert claim(ledger) == []
    gate(ledger, next_free_at=NOW + 2 + ADMITTED[lane] - 0.01, tolerance=2.0)
    assert ids(claim(ledger)) == [feed_id]


def test_points_are_pushed_whatever_the_gate_of_their_source(ledger: Ledger) -> None:
    """The outbox asks Beeminder only: its gate holds it up, the source's does not."""
    (feed_id,) = fill(ledger, {1: 1})[1]
    put(ledger, feed_id, due_at=NOW + 60)
    with ledger.write() as session:
        session.add(
            Datapoint(
                goal_id=1, feed_id=feed_id, requestid="r", value=1.0, content_hash="h", due_at=NOW
            )
        )
    gate(ledger, **CLOSED)
    gate(ledger, "beeminder:1", **CLOSED)
    with ledger.write() as session:
        assert not claiming_outbox.any_due(session, NOW)
        assert claiming_outbox.claim(session, owner="a", now=NOW) == []
    gate(ledger, "beeminder:1")
    with ledger.write() as session:
        assert claiming_outbox.any_due(session, NOW)
        assert ids(claiming_outbox.claim(session, owner="a", now=NOW)) == [feed_id]


def test_at_a_crowded_gate_only_what_is_urgent_goes_first(ledger: Ledger) -> None:
    """One callback among fifty scheduled feeds of its source does not take them along."""
    many = fill(ledger, {1: 50})[1]
    put(ledger, many[30], lane=Lane.URGENT)
    gate(ledger, next_free_at=NOW + 0.2)

    assert ids(claim(ledger)) == [many[30]]
    assert len(claim(ledger)) == CROWDED_BATCH
    gate(ledger)
    assert len(claim(ledger)) == 50 - 1 - CROWDED_BATCH <= BATCH


def test_who_has_one_feed_does_not_wait_for_who_has_five_hundred(ledger: Ledger) -> None:
    """Sources that share a crowded gate take turns, whoever fell due first."""
    made = fill(ledger, {1: 500, 2: 1})
    gate(ledger, next_free_at=NOW + 0.2)

    claims = [ids(claim(ledger, now=NOW + n / 100)) for n in range(2)]

    assert made[2] in claims
    assert all(len(found) <= CROWDED_BATCH for found in claims)


def test_turns_are_even(ledger: Ledger) -> None:
    """Four people with very different numbers of feeds: equal shares as long as all want some."""
    fill(ledger, {1: 200, 2: 60, 3: 100, 4: 80})
    gate(ledger, next_free_at=NOW + 0.3)

    turns = Counter(claim(ledger, now=NOW + n / 1000)[0].source_id for n in range(40))

    assert set(turns.values()) == {10}


def test_who_took_many_before_it_was_crowded_has_had_their_turn(ledger: Ledger) -> None:
    """A quiet gate gives one person fifty slots; whoever comes then does not wait for more."""
    made = fill(ledger, {1: 500, 2: 1})
    put(ledger, made[2][0], due_at=NOW + 1)
    gate(ledger)
    assert len(claim(ledger)) == BATCH

    gate(ledger, next_free_at=NOW + 2)

    assert ids(claim(ledger, now=NOW + 1.9)) == made[2]


def test_few_that_were_taken_while_it_was_calm_are_worth_one_turn(ledger: Ledger) -> None:
    """Whoever was not counted then goes first once, and then in turns with the others."""
    fill(ledger, {1: 200, 2: 200})
    gate(ledger)
    for _ in range(3):
        assert len(claim(ledger, limit=1)) == 1

    gate(ledger, next_free_at=NOW + 0.3)
    turns = [claim(ledger, now=NOW + n / 1000)[0].source_id for n in range(6)]

    assert turns in ([1, 2] * 3, [2, 1] * 3)


def test_others_go_while_somebody_has_no_turn(ledger: Ledger) -> None:
    """The next one to have a turn is held up at Beeminder: the one after them goes."""
    made = fill(ledger, {1: 5, 2: 5})
    gate(ledger, next_free_at=NOW + 0.3)
    gate(ledger, "beeminder:1", **CLOSED)
    assert ids(claim(ledger)) == made[2]
    assert claim(ledger) == []


def test_workers_that_race_for_a_crowded_gate_lose_nothing(ledger: Ledger) -> None:
    """Eight threads, twelve people: every feed is claimed once, and nobody fails."""
    made = fill(ledger, dict.fromkeys(range(1, 13), 3))
    gate(ledger, next_free_at=NOW + 0.3)
    clock = itertools.count()

    def work(worker: int) -> list[int]:
        taken: list[int] = []
        misses = 0
        while misses < 3:
            found = claim(ledger, f"w{worker}", now=NOW + next(clock) / 1000)
            misses = 0 if found else misses + 1
            taken += ids(found)
        return taken

    got = [feed_id for taken in at_once(8, work) for feed_id in taken]
    assert sorted(got) == sorted(itertools.chain(*made.values()))


def test_a_claim_does_not_wait_for_who_changes_the_source(ledger: Ledger) -> None:
    """Somebody holds the source's row, and wants the feeds next: nobody waits in a circle."""
    made = fill(ledger, {1: 2})
    gate(ledger)
    if ledger.is_sqlite:
        return  # one lock for everything: whoever changes something is alone
    with ledger.write() as session:
        session.exec(select(Source).where(Source.id == 1).with_for_update()).one()
        claiming_thread = InThread(lambda: ids(claim(ledger)))
        assert claiming_thread.join() == made[1]


def test_ten_thousand_feeds_behind_a_gate_are_passed_over_quickly(sqlite_url: str) -> None:
    """So few steps of the database for each of them that a claim stays below 20 ms."""
    ledger = Ledger(sqlite_url)
    fill(ledger, {1: 2000})
    free = fill(ledger, {2: 1}, key="vendor:other")[2]
    gate(ledger, **CLOSED)

    steps = 0
    with ledger.write() as session:
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)

        def count() -> int:
            nonlocal steps
            steps += 100
            return 0

        connection.set_progress_handler(count, 100)
        found = claiming.claim(session, owner="a", now=NOW, lane=Lane.BULK)
        connection.set_progress_handler(None, 0)
    assert ids(found) == free
    with ledger.read() as session:
        assert claiming.due_sources(session, Lane.BULK, NOW, at_most=9) == 0
    ledger.close()
    assert steps <= 2000 * 60


def test_what_was_claimed_at_a_crowded_gate_is_finished_like_any_other(ledger: Ledger) -> None:
    """Turns change nothing about leases and epochs."""
    made = fill(ledger, {1: 1})
    gate(ledger, next_free_at=NOW + 0.3)
    (held,) = claim(ledger)
    finish(ledger, held)
    assert row(ledger, made[1][0]).last_synced_at == NOW
