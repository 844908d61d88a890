"""Linking from a page: one feed however often it is asked for, and what fed the goal comes back."""

import pytest

from db import errands
from db.models import Feed, Goal
from db.models_pages import Errand
from db.states import ErrandKind, FeedState
from simulators.faults import Fault
from tasks import errands as work
from tasks import linking_draft, suspects
from tests.tasks.scenes import all_rows
from tests.tasks.sourced import APP, Sourced
from tests.world import CrashError, World, crash_at


@pytest.fixture
def house(world: World) -> Sourced:
    """A world with an app."""
    return Sourced(world)


def ask(house: Sourced, kind: ErrandKind = ErrandKind.LINK, **more: object) -> str:
    """Ask for a link of the second series to `output`; the errand's id."""
    world = house.world
    params = {
        "goal": "output",
        "label": "",
        "metric": "timeseries_aggregate",
        "params": {
            "timeseries": world.other_series, "aggregation": "sum", "data_state": "Clean",
        },
        "options": {},
        "since": "20261119",
        "every": 3600.0,
    } | more  # fmt: skip
    with world.ledger.write() as session:
        return errands.ask(
            session,
            kind,
            user_id=world.user_id,
            source_id=world.source_id,
            params=params,
            now=world.clock.at,
        ).id


def about(house: Sourced, kind: ErrandKind, slug: str = "output", label: str | None = None) -> str:
    """Ask for something about a goal that is linked."""
    world = house.world
    with world.ledger.write() as session:
        goal = linking_draft.fortnight.goal_named(session, world.user_id, slug)
        assert goal is not None
        return errands.ask(
            session,
            kind,
            user_id=world.user_id,
            goal_id=goal.id,
            params={"name": f"alice/{slug}", "label": label},
            now=world.clock.at,
        ).id


def work_off(house: Sourced, errand_id: str, **more: object) -> Errand:
    """Work until nothing is due; how it ended."""
    while work.run(house.runtime(**more)):
        pass
    with house.world.reading() as session:
        return session.get_one(Errand, errand_id)


def autodata(house: Sourced, slug: str = "output") -> str | None:
    """What feeds a goal at Beeminder."""
    return house.state.goal("alice", slug).autodata


def feeds_of(house: Sourced) -> list[Feed]:
    """The feeds of `output`."""
    with house.world.reading() as session:
        goal = linking_draft.fortnight.goal_named(session, house.world.user_id, "output")
        assert goal is not None
        return [feed for feed in all_rows(house.world, Feed) if feed.goal_id == goal.id]


def test_a_link_makes_a_feed_and_takes_the_place(house: Sourced) -> None:
    """Due at once, with all that was chosen; what was there is remembered."""
    house.state.goal("alice", "output").autodata = "ifttt"
    ended = work_off(house, ask(house))
    assert ended.state == "done", ended.error
    answer = ended.answer or {}
    assert (answer["feed"], answer["new"], answer["before"]) == ("alice/output", True, "ifttt")
    assert (answer["now"], answer["failed"]) == (APP, [])
    (feed,) = feeds_of(house)
    assert (feed.since, feed.every, feed.state) == ("20261119", 3600.0, FeedState.ACTIVE)
    assert feed.params["timeseries"] == house.world.other_series
    assert autodata(house) == APP
    with house.world.reading() as session:
        assert session.get_one(Goal, feed.goal_id).datasource_before == "ifttt"
    assert ("sync", "default") in house.world.rung


def test_asked_twice_it_is_one_feed(house: Sourced) -> None:
    """Beside each other, and again after it is done."""
    first, second = ask(house), ask(house)
    assert first == second
    work_off(house, first)
    again = work_off(house, ask(house))
    assert (again.state, (again.answer or {})["new"]) == ("done", False)
    assert len(feeds_of(house)) == 1


@pytest.mark.parametrize("step", ["errand.claimed", "errand.linked", "errand.answered"])
def test_a_killed_worker_makes_no_second_feed(house: Sourced, step: str) -> None:
    """The next one finds what was made, and goes on."""
    errand_id = ask(house)
    rt = house.runtime()
    rt.trace = crash_at(step)
    with pytest.raises(CrashError):
        work.run(rt)
    house.world.clock.advance(errands.LEASE_SECONDS)
    while suspects.run(house.runtime()):
        pass
    assert work_off(house, errand_id).state == "done"
    assert len(feeds_of(house)) == 1
    assert autodata(house) == APP


def test_a_worker_whose_errand_is_anothers_makes_nothing(house: Sourced) -> None:
    """It was claimed again while the first one asked Beeminder."""
    errand_id = ask(house)
    with house.world.ledger.write() as session:
        late = errands.claim(session, owner="late", now=house.world.clock.at)
    assert late is not None
    house.world.clock.advance(errands.LEASE_SECONDS)
    assert work.run(house.runtime(), alone=True)
    before = len(all_rows(house.world, Feed))
    with pytest.raises(linking_draft.FencedError):
        linking_draft.make(house.runtime(), late)
    assert len(all_rows(house.world, Feed)) == before
    assert work_off(house, errand_id).state == "done"


def test_without_an_app_it_goes_by_its_schedule(house: Sourced) -> None:
    """The feed is made, and that is said."""
    ended = work_off(house, ask(house), app_name=None)
    assert any("schedule" in text for text in (ended.answer or {})["said"])
    assert autodata(house) is None
    assert len(feeds_of(house)) == 1


def test_a_person_who_keeps_the_source_keeps_it(house: Sourced) -> None:
    """Nobody is replaced without a yes."""
    house.state.goal("alice", "output").autodata = "ifttt"
    work_off(house, ask(house, options={"datasource": "keep"}, take=False))
    assert autodata(house) == "ifttt"
    assert len(feeds_of(house)) == 1


def test_what_can_not_be_linked_says_why(house: Sourced) -> None:
    """A goal that is gone, one that counts otherwise, one that is fed already, and twins."""
    taken = work_off(house, ask(house, goal="energy"))
    assert "fed by plant" in (taken.error or "")
    twin = {"timeseries": house.world.series, "aggregation": "sum", "data_state": "Clean"}
    same = work_off(house, ask(house, goal="energy", label="again", params=twin))
    assert "twice" in (same.error or "")
    gone = work_off(house, ask(house, goal="nothing"))
    assert "choose another one" in (gone.error or "")
    house.state.change_goal("alice", "output", aggday="triangle")
    unfit = work_off(house, ask(house))
    assert "'triangle'" in (unfit.error or "")
    assert len(all_rows(house.world, Feed)) == 1
    assert house.sets() == 0


def test_undo_restores_what_was_there(house: Sourced) -> None:
    """One click: not fed any more, and the old source is back."""
    house.state.goal("alice", "output").autodata = "ifttt"
    work_off(house, ask(house))
    ended = work_off(house, about(house, ErrandKind.UNDO))
    assert ended.state == "done"
    (feed,) = feeds_of(house)
    assert (feed.state, feed.reason) == (FeedState.STOPPED, "unlinked")
    assert autodata(house) == "ifttt"


def test_what_was_unlinked_comes_back(house: Sourced) -> None:
    """By its name, and as another feed of the same goal."""
    work_off(house, ask(house))
    work_off(house, about(house, ErrandKind.UNLINK))
    assert autodata(house) is None
    again = work_off(house, about(house, ErrandKind.LINK))
    assert (again.state, autodata(house)) == ("done", APP)
    assert feeds_of(house)[0].state == FeedState.ACTIVE
    work_off(house, about(house, ErrandKind.UNLINK))
    other = {"timeseries": house.world.series, "aggregation": "max", "data_state": "Clean"}
    changed = work_off(house, ask(house, params=other))
    assert (changed.answer or {})["new"] is True
    (feed,) = feeds_of(house)
    assert (feed.params, feed.state) == (other, FeedState.ACTIVE)


def test_one_of_two_feeds_may_be_unlinked(house: Sourced) -> None:
    """The other one goes on, and the goal stays ours."""
    work_off(house, ask(house))
    work_off(house, ask(house, label="roof", params={
        "timeseries": house.world.series, "aggregation": "sum", "data_state": "Clean",
    }))  # fmt: skip
    work_off(house, about(house, ErrandKind.UNLINK, label="roof"))
    assert [feed.state for feed in feeds_of(house)] == [FeedState.ACTIVE, FeedState.STOPPED]
    assert autodata(house) == APP


def test_back_to_manual_entry_waggle_goes_on(house: Sourced) -> None:
    """The person's hands, and the feed is still active."""
    work_off(house, ask(house))
    ended = work_off(house, about(house, ErrandKind.MANUAL))
    assert any("schedule" in text for text in (ended.answer or {})["said"])
    assert autodata(house) is None
    assert feeds_of(house)[0].state == FeedState.ACTIVE


def test_beeminder_that_is_away_stops_no_unlinking(house: Sourced) -> None:
    """The feed stops at once; the worker goes on with the rest, and that is said."""
    work_off(house, ask(house))
    house.world.beeminder.faults.add(Fault(path="goals/output", status=500, times=None))
    ended = work_off(house, about(house, ErrandKind.UNLINK))
    assert ended.state == "done"
    assert any("the worker goes on" in text for text in (ended.answer or {})["said"])
    assert feeds_of(house)[0].state == FeedState.STOPPED
