"""Errands: asked once, done by one worker, given up in time, and forgotten."""

import pytest

from db import errands, errands_over, suspects
from db.engine import Ledger
from db.models import User
from db.models_pages import Errand
from db.states import ErrandKind
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0
LOOK = ErrandKind.LOOK


def ask(ledger: Ledger, *, now: float = NOW, kind: ErrandKind = LOOK, **more: object) -> str:
    """Ask as a page does; the errand's id."""
    given = {"user_id": 1, "source_id": 1} | more
    with ledger.write() as session:
        return errands.ask(session, kind, now=now, **given).id  # type: ignore[arg-type]


def claim(
    ledger: Ledger, *, now: float = NOW, owner: str = "w", alone: bool = False
) -> errands.Held | None:
    """Claim as a worker does."""
    with ledger.write() as session:
        return errands.claim(session, owner=owner, now=now, alone=alone)


def claimed(ledger: Ledger, *, now: float = NOW, owner: str = "w") -> errands.Held:
    """The same where there is one."""
    held = claim(ledger, now=now, owner=owner)
    assert held is not None
    return held


def row(ledger: Ledger, errand_id: str) -> Errand:
    """An errand as it stands."""
    with ledger.read() as session:
        return session.get_one(Errand, errand_id)


def test_who_loads_a_page_twice_asks_once(ledger: Ledger, linked: None) -> None:
    """The same question waits once, also from many requests at once; others wait beside it."""
    ids = at_once(6, lambda _number: ask(ledger))
    assert len(set(ids)) == 1
    assert ask(ledger, params={"q": 1}) not in ids
    assert ask(ledger, kind=ErrandKind.CHECK) not in ids
    with ledger.read() as session:
        key = errands.key_of(LOOK, source_id=1)
        found = errands.newest(session, 1, key)
        assert found is not None
        assert found.id == ids[0]
        assert errands.newest(session, 2, key) is None


def test_after_its_end_the_same_may_be_asked_again(ledger: Ledger, linked: None) -> None:
    """The newest of both is the one that a page shows."""
    first = ask(ledger)
    with ledger.write() as session:
        held = errands.claim(session, owner="w", now=NOW)
        assert held is not None
        assert errands.finish(session, held, {"found": []}, NOW + 1)
    second = ask(ledger, now=NOW + 2)
    assert first != second
    with ledger.read() as session:
        found = errands.newest(session, 1, errands.key_of(LOOK, source_id=1))
        assert found is not None
        assert found.id == second
        assert len(errands.recent(session, 1, [LOOK], since=NOW)) == 2


def test_one_person_has_so_many_and_no_more(ledger: Ledger, linked: None) -> None:
    """The next one is refused; somebody else's is not."""
    with ledger.write() as session:
        session.add(User(id=2, username="bob"))
    for number in range(errands.MOST_WAITING):
        ask(ledger, params={"q": number})
    with pytest.raises(errands.TooManyError):
        ask(ledger, params={"q": "more"})
    ask(ledger, params={"q": 0})
    ask(ledger, user_id=2, source_id=None)


def test_one_worker_has_it(ledger: Ledger, linked: None) -> None:
    """Of many who look at once one gets it, and nobody else while its lease lasts."""
    ask(ledger)
    got = at_once(6, lambda number: claim(ledger, owner=f"w{number}"))
    assert len([held for held in got if held is not None]) == 1
    assert claim(ledger, now=NOW + errands.LEASE_SECONDS - 1, alone=True) is None


@pytest.mark.parametrize("owner", ["v", "w"])
def test_a_late_worker_changes_nothing(ledger: Ledger, linked: None, owner: str) -> None:
    """Its lease ended, another thread has it, also of the same process: nothing of it counts."""
    errand_id = ask(ledger)
    first = claimed(ledger)
    later = NOW + errands.LEASE_SECONDS
    assert claim(ledger, now=later) is None  # a worker died of it: it is tried alone
    with ledger.read() as session:
        assert suspects.any_due(session, (), later)
    second = claim(ledger, now=later, owner=owner, alone=True)
    assert second is not None
    with ledger.write() as session:
        assert not errands.mine(session, first)
        assert not errands.finish(session, first, {"stale": True}, later)
        assert not errands.fail(session, first, "stale", later)
        assert not errands.put_back(session, first, due_at=later, error="stale")
        assert errands.mine(session, second)
        assert errands.finish(session, second, {"good": True}, later)
    ended = row(ledger, errand_id)
    assert (ended.state, ended.answer, ended.error) == ("done", {"good": True}, None)


def test_what_is_put_back_comes_again_at_its_time(ledger: Ledger, linked: None) -> None:
    """A limit costs no attempt, trouble costs one; neither is a death."""
    errand_id = ask(ledger)
    for deferred, attempts in ((True, 0), (False, 1)):
        at = row(ledger, errand_id).due_at
        held = claimed(ledger, now=at)
        with ledger.write() as session:
            errands.put_back(session, held, due_at=at + 5, error="why", deferred=deferred)
        assert claim(ledger, now=at + 4) is None
        assert row(ledger, errand_id).attempts == attempts
    assert row(ledger, errand_id).deferrals == 1


def test_what_a_newer_page_asks_is_left_to_newer_workers(ledger: Ledger, linked: None) -> None:
    """An older worker can't do it, and must not die of it."""
    newer, known = ask(ledger), ask(ledger, kind=ErrandKind.CHECK)
    with ledger.write() as session:
        session.get_one(Errand, newer).kind = "something new"
    assert claimed(ledger).errand.id == known
    assert claim(ledger) is None


def test_a_worker_that_stops_hands_it_back(ledger: Ledger, linked: None) -> None:
    """Nobody died: the next one goes on at once, beside others, and the first can't write."""
    ask(ledger)
    first = claimed(ledger)
    with ledger.write() as session:
        assert errands.hand_back(session, owner="w") == 1
    second = claimed(ledger, owner="v")
    assert second.errand.attempts == 1
    with ledger.write() as session:
        assert not errands.finish(session, first, {}, NOW)


def test_what_nobody_comes_to_is_given_up(ledger: Ledger, linked: None) -> None:
    """After two minutes, with what to do; the last error is told where there was one."""
    silent, troubled = ask(ledger), ask(ledger, kind=ErrandKind.CHECK)
    for held in (claimed(ledger), claimed(ledger)):
        with ledger.write() as session:
            error = "the source is away" if held.errand.id == troubled else ""
            errands.put_back(session, held, due_at=NOW + 1, error=error)
    with ledger.write() as session:
        session.get_one(Errand, silent).error = None
        assert errands_over.give_up(session, NOW + errands.LIFE_SECONDS - 1) == 0
    over = NOW + errands.LIFE_SECONDS
    with ledger.read() as session:
        assert errands_over.any_over(session, over)
    with ledger.write() as session:
        assert errands_over.give_up(session, over) == 2
    assert row(ledger, silent).error == errands_over.GIVEN_UP
    assert row(ledger, troubled).error == "the source is away"
    assert claim(ledger, now=over) is None


def test_what_kills_its_workers_is_given_up(ledger: Ledger, linked: None) -> None:
    """Each time alone after the first one, four times in all."""
    errand_id = ask(ledger)
    at = NOW
    with ledger.write() as session:
        session.get_one(Errand, errand_id).ends_at = NOW + 3600
    for number in range(errands.MOST_TRIES):
        assert claim(ledger, now=at, alone=number > 0) is not None
        at += errands.LEASE_SECONDS
    assert claim(ledger, now=at, alone=True) is None
    with ledger.write() as session:
        assert errands_over.give_up(session, at) == 1
    assert row(ledger, errand_id).error == errands_over.KILLED


def test_what_is_under_way_is_not_given_up(ledger: Ledger, linked: None) -> None:
    """Its worker may be about to answer."""
    ask(ledger)
    late = NOW + errands.LIFE_SECONDS - 1
    held = claimed(ledger, now=late)
    with ledger.write() as session:
        assert errands_over.give_up(session, late + 2) == 0
        assert errands.finish(session, held, {}, late + 2)


def test_ended_ones_are_forgotten(ledger: Ledger, linked: None) -> None:
    """What waits stays, and what ended lately."""
    ended = ask(ledger)
    held = claimed(ledger)
    with ledger.write() as session:
        errands.finish(session, held, {}, NOW)
    waits = ask(ledger, now=NOW + 1)
    with ledger.write() as session:
        assert errands_over.forget(session, NOW) == 0
        assert errands_over.forget(session, NOW + 10) == 1
    with ledger.read() as session:
        assert session.get(Errand, ended) is None
        assert session.get(Errand, waits) is not None
