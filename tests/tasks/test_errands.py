"""Errands over real HTTP: answers fit for a page, limits kept, trouble told, crashes survived."""

import json

import httpx
import pytest

from db import errands, errands_over
from db.models import Source, User
from db.models_pages import Deed, Errand
from db.persons import GONE
from db.states import ErrandKind
from simulators.faults import Fault
from tasks import bells, housekeeping, suspects, sweep
from tasks import errands as work
from tests.tasks.scenes import all_rows
from tests.world import PASSWORD, TOKEN, CrashError, World, crash_at


def ask(world: World, kind: ErrandKind, **more: object) -> str:
    """Ask as a page does; the errand's id."""
    if kind in (ErrandKind.LOOK, ErrandKind.CHECK):
        more = {"source_id": world.source_id} | more
    with world.ledger.write() as session:
        return errands.ask(session, kind, user_id=world.user_id, now=world.clock.at, **more).id  # type: ignore[arg-type]


def row(world: World, errand_id: str) -> Errand:
    """An errand as it stands."""
    with world.reading() as session:
        return session.get_one(Errand, errand_id)


def done(world: World, kind: ErrandKind, **more: object) -> Errand:
    """Ask, work, and how it ended."""
    errand_id = ask(world, kind, **more)
    while work.run(world.runtime()):
        pass
    return row(world, errand_id)


def test_goals_as_beeminder_has_them(world: World) -> None:
    """Slugs in order, with all that decides how they count."""
    world.beeminder.state.change_goal("alice", "output", title="Output", kyoom=False, aggday="last")
    ended = done(world, ErrandKind.GOALS)
    assert ended.state == "done"
    answer = ended.answer or {}
    assert [goal["slug"] for goal in answer["goals"]] == ["energy", "output"]
    output = answer["goals"][1]
    assert (output["title"], output["kyoom"], output["aggday"]) == ("Output", False, "last")
    assert output["gunits"] == "kWh"


def test_what_a_source_has(world: World) -> None:
    """Series by name with their units, and no secret in any row."""
    answer = done(world, ErrandKind.LOOK).answer or {}
    found = [one for one in answer["found"] if one["kind"] == "timeseries"]
    assert [(one["id"], one["name"]) for one in found] == [
        (str(world.series), "Main meter"),
        (str(world.other_series), "Roof"),
    ]
    assert answer["listed"] is True
    kept = json.dumps([each.model_dump() for each in all_rows(world, Errand)])
    assert PASSWORD not in kept
    assert TOKEN not in kept


def test_credentials_that_work_and_that_do_not(world: World) -> None:
    """A wrong password is told at once, in a sentence without it."""
    assert done(world, ErrandKind.CHECK).state == "done"
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        source.credentials_cipher = world.vault.encrypt('{"password": "canary-wrong"}')
    world.clock.advance(1)
    ended = done(world, ErrandKind.CHECK)
    assert (ended.state, ended.attempts) == ("failed", 1)
    assert ended.error
    assert "canary-wrong" not in ended.error


def test_a_source_that_has_gone_is_said(world: World) -> None:
    """And one of another person is as good as gone."""
    errand_id = ask(world, ErrandKind.LOOK)
    with world.ledger.write() as session:
        session.get_one(Errand, errand_id).source_id = None
    work.run(world.runtime())
    assert "choose another one" in (row(world, errand_id).error or "")


def test_trouble_that_passes_is_tried_again(world: World) -> None:
    """A vendor that fails once costs a moment, no click."""
    world.beeminder.faults.add(Fault(path="goals.json", status=500))
    errand_id = ask(world, ErrandKind.GOALS)
    assert work.run(world.runtime())
    waits = row(world, errand_id)
    assert (waits.state, waits.attempts) == ("waiting", 1)
    assert not work.run(world.runtime())
    world.clock.advance(waits.due_at - world.clock.at)
    assert sweep.run(world.runtime())["errands.urgent"] == 1
    assert work.run(world.runtime())
    assert row(world, errand_id).state == "done"


def test_trouble_that_stays_is_told(world: World) -> None:
    """Four tries, then a sentence; nothing waits for ever."""
    world.beeminder.faults.add(Fault(path="goals.json", status=500, times=None))
    errand_id = ask(world, ErrandKind.GOALS)
    for _ in range(errands.MOST_TRIES):
        world.clock.advance(max(0.0, row(world, errand_id).due_at - world.clock.at))
        assert work.run(world.runtime())
    ended = row(world, errand_id)
    assert (ended.state, ended.attempts) == ("failed", errands.MOST_TRIES)
    assert "Beeminder" in (ended.error or "")
    assert ended.ended_at is not None
    assert ended.ended_at - ended.asked_at < errands.LIFE_SECONDS


def test_a_limit_is_kept_and_told(world: World) -> None:
    """A refusal costs no attempt; nobody asks before its end, and the page knows when that is."""
    world.beeminder.faults.add(Fault(path="goals.json", status=429, retry_after="200"))
    errand_id = ask(world, ErrandKind.GOALS)
    work.run(world.runtime())
    waits = row(world, errand_id)
    assert (waits.state, waits.attempts, waits.deferrals) == ("waiting", 0, 1)
    assert waits.due_at >= world.clock.at + 200
    asked = world.beeminder.faults.count(path="goals.json")
    world.clock.advance(199)
    assert not work.run(world.runtime())
    assert work.give_up(world.runtime()) == 0
    assert world.beeminder.faults.count(path="goals.json") == asked
    world.clock.advance(waits.due_at - world.clock.at)
    assert work.run(world.runtime())
    assert row(world, errand_id).state == "done"


def test_a_limit_for_hours_is_told_with_its_end(world: World) -> None:
    """Nobody waits that long in front of a page."""
    world.beeminder.faults.add(Fault(path="goals.json", status=429, retry_after="7200"))
    ended = done(world, ErrandKind.GOALS)
    assert ended.state == "failed"
    assert "2026-11-20 14:00 UTC: try again then" in (ended.error or "")


@pytest.mark.parametrize("step", ["errand.claimed", "errand.answered"])
def test_a_killed_worker_costs_a_lease(world: World, step: str) -> None:
    """The next one does it alone in its process, and whatever it was is done once more."""
    errand_id = ask(world, ErrandKind.LOOK)
    with pytest.raises(CrashError):
        work.run(world.runtime(trace=crash_at(step)))
    assert not work.run(world.runtime())
    world.clock.advance(errands.LEASE_SECONDS)
    assert not work.run(world.runtime())
    assert suspects.run(world.runtime())
    assert row(world, errand_id).state == "done"


def test_a_worker_that_slept_through_its_lease_answers_nothing(world: World) -> None:
    """Its answer is late: the other one's stands."""
    errand_id = ask(world, ErrandKind.LOOK)

    def sleep_on(name: str) -> None:
        if name != "errand.answered":
            return
        world.clock.advance(errands.LEASE_SECONDS)
        world.bemserver.state.add_series("Later", campaign="Home")
        assert work.run(world.runtime(), alone=True)

    assert work.run(world.runtime(trace=sleep_on))
    ended = row(world, errand_id)
    assert ended.epoch == 2
    assert [one["name"] for one in (ended.answer or {})["found"]].count("Later") == 1


def test_a_worker_that_stops_leaves_it_to_others(world: World) -> None:
    """It begins nothing any more; what it had is handed back and done by the next."""
    errand_id = ask(world, ErrandKind.LOOK)
    rt = world.runtime()
    rt.stopping.set()
    assert work.run(rt)
    with world.ledger.write() as session:
        assert errands.hand_back(session, owner=rt.owner) == 1
    assert work.run(world.runtime())
    assert row(world, errand_id).state == "done"


def test_nobody_comes_and_the_page_is_told(world: World) -> None:
    """No worker for two minutes: the sweep of the next one gives it up."""
    errand_id = ask(world, ErrandKind.LOOK)
    world.clock.advance(errands.LIFE_SECONDS)
    sweep.run(world.runtime())
    assert row(world, errand_id).error == errands_over.GIVEN_UP


def test_a_bell_does_all_of_them(world: World) -> None:
    """One slot, until none waits."""
    ids = [ask(world, kind) for kind in (ErrandKind.LOOK, ErrandKind.CHECK, ErrandKind.GOALS)]
    bells.bind(world.runtime())
    try:
        bells.do_errands()
    finally:
        bells.bind(None)
    assert {row(world, errand_id).state for errand_id in ids} == {"done"}


def test_housekeeping_forgets_what_ended_yesterday(world: World) -> None:
    """An answer is of use for a day at most."""
    done(world, ErrandKind.LOOK)
    world.clock.advance(housekeeping.DAY - 1)
    housekeeping.run(world.runtime())
    assert len(all_rows(world, Errand)) == 1
    world.clock.advance(2)
    housekeeping.run(world.runtime())
    assert all_rows(world, Errand) == []


def test_all_requests_of_an_errand_share_one_deadline(world: World) -> None:
    """None of them is given more than what is left of twenty seconds."""
    given: list[float] = []

    class Watch(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            given.append(request.extensions["timeout"].seconds)
            return super().handle_request(request)

    with httpx.Client(transport=Watch(), timeout=10) as http:
        rt = world.runtime(http=http)
        ask(world, ErrandKind.LOOK)
        work.run(rt)
    assert len(given) > 2
    assert all(seconds < work.DEADLINE_SECONDS for seconds in given)


def test_a_person_leaves_with_their_errand(world: World) -> None:
    """All of it is gone, the question too; that somebody left is kept, and not who."""
    world.work()
    ask(world, ErrandKind.LEAVE, params={"anyhow": False})
    while work.run(world.runtime()):
        pass
    assert all_rows(world, User) == []
    assert all_rows(world, Errand) == []
    (deed,) = all_rows(world, Deed)
    assert (deed.action, deed.actor, deed.subject) == ("person.leave", GONE, GONE)


def test_who_left_twice_left_once(world: World) -> None:
    """The second worker finds nobody, whether the first was there before or in the middle."""
    errand_id = ask(world, ErrandKind.LEAVE, params={"anyhow": True})
    ask(world, ErrandKind.LEAVE, params={"anyhow": False})
    with pytest.raises(CrashError):
        work.run(world.runtime(trace=crash_at("person.given_back")))
    assert row(world, errand_id).state == "waiting"
    while work.run(world.runtime()):
        pass
    assert all_rows(world, User) == []
    assert len(all_rows(world, Deed)) == 1
