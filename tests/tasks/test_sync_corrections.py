"""Beeminder derails a goal the moment that yesterday turns red: nobody derails because of us."""

import pytest

from db import approvals
from db.models import Notice
from db.models_points import Datapoint, Day
from simulators.faults import Fault
from tests.tasks.measured import look, ours, row, say, with_options
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed
from tests.world import DAY, World

BEFORE = {YESTERDAY: 5.0, TODAY: 1.0}


def begin(world: World, yesterday: float = 5.0, **goal: object) -> None:
    """Yesterday and today are on the goal, which counts like this."""
    world.beeminder.state.change_goal("alice", "energy", **goal)
    say(world, {YESTERDAY: yesterday, TODAY: 1.0})
    world.work()
    assert world.values() == {YESTERDAY: yesterday, TODAY: 1.0}


def notices(world: World, kind: str = "held") -> list[Notice]:
    """What a person is told of this kind and is not over."""
    return [n for n in all_rows(world, Notice) if n.kind == kind and n.cleared_at is None]


def noted(world: World, stamp: str) -> str | None:
    """What `waggle explain` says beside what the source said of that day."""
    return next(day.note for day in all_rows(world, Day) if day.daystamp == stamp)


def approve(world: World) -> None:
    """A person lets what is held pass."""
    with world.ledger.write() as session:
        approvals.approve(session, [world.feed_id], daystamp=None, now=world.clock.at)


@pytest.mark.parametrize("how", ["careful", "always", "never"])
@pytest.mark.parametrize(
    ("where", "yaw", "old", "new"),
    [
        ("feed", 1, 5.0, 0.0),
        ("feed", 1, 5.0, 3.0),
        ("setting", 1, 5.0, 3.0),
        ("feed", -1, 1.0, 4.0),
        ("feed", -1, 4.0, 0.0),
    ],
)
def test_yesterday_changes_for_the_worse(
    world: World, how: str, where: str, yaw: int, old: float, new: float
) -> None:
    """Held under `careful`, sent under `always`, left under `never`; today goes on in each."""
    begin(world, old, yaw=yaw)
    rt = with_options(world, corrections=how if where == "setting" else "careful")
    if where == "feed":
        change_feed(world, options={"corrections": how})
    say(world, {YESTERDAY: new, TODAY: 2.0})

    look(world, rt=rt)

    expected = new if how == "always" else old
    assert world.values() == {YESTERDAY: expected, TODAY: 2.0}
    assert row(world, YESTERDAY).state == ("held" if how == "careful" else "landed")
    assert len(notices(world)) == (how == "careful")
    assert ("never corrected" in (noted(world, YESTERDAY) or "")) == (how == "never")
    assert row(world, TODAY).state == "landed"


@pytest.mark.parametrize(
    "body", [None, {"1": {}}, {"1": {"2026-11-19T00:00:00+00:00": None}}, {}, {"errors": "no"}, []]
)
def test_a_source_in_trouble_empties_no_day(world: World, body: object) -> None:
    """No samples, nulls, or something else altogether: what is at Beeminder stays, also today's."""
    begin(world)
    say(world, {})
    if body is not None:
        world.bemserver.faults.add(
            Fault(path=r"timeseries_data/(aggregate)?$", status=200, body=body, times=None)
        )

    look(world)
    look(world)

    assert world.values() == BEFORE
    assert {found.state for found in all_rows(world, Datapoint)} == {"landed"}


def test_a_source_that_says_zero_and_recovers_leaves_no_trace(world: World) -> None:
    """The hold goes with its cause, and so does the notice; Beeminder never heard of it."""
    begin(world)
    writes = ours(world)
    say(world, {YESTERDAY: 0.0, TODAY: 1.0})
    look(world)
    assert (row(world, YESTERDAY).state, len(notices(world))) == ("held", 1)

    say(world, BEFORE)
    look(world)

    assert (row(world, YESTERDAY).state, row(world, YESTERDAY).error) == ("landed", None)
    assert notices(world) == []
    assert ours(world) == writes


def test_a_held_correction_is_read_again_within_the_hour(world: World) -> None:
    """Nobody has to ask: a feed that looks once a week looks again after an hour."""
    begin(world)
    change_feed(world, every=7 * 86400.0)
    say(world, {YESTERDAY: 3.0, TODAY: 1.0})
    look(world)
    assert row(world, YESTERDAY).state == "held"
    say(world, BEFORE)

    world.clock.advance(3601)
    world.work()

    assert row(world, YESTERDAY).state == "landed"


def test_what_is_better_than_what_is_there_is_sent_out_of_a_hold(world: World) -> None:
    """First worse, then better than ever: the better value goes out, nothing is held."""
    begin(world)
    say(world, {YESTERDAY: 3.0, TODAY: 1.0})
    look(world)
    say(world, {YESTERDAY: 6.0, TODAY: 1.0})
    look(world)
    assert world.values()[YESTERDAY] == 6.0
    assert (row(world, YESTERDAY).state, notices(world)) == ("landed", [])


def test_a_hold_is_told_once_and_says_what_would_happen(world: World) -> None:
    """Ten looks at the same trouble are one notice, with both values and what to type."""
    begin(world)
    say(world, {YESTERDAY: 3.0, TODAY: 1.0})
    for _ in range(10):
        look(world)
    (told,) = [n for n in all_rows(world, Notice) if n.kind == "held"]
    assert "5 → 3" in told.message
    assert "`waggle approve alice/energy 2026-11-19`" in told.message


def test_an_approved_correction_is_sent_once(world: World) -> None:
    """Without another look at the source; later looks write nothing more."""
    begin(world)
    say(world, {YESTERDAY: 3.0, TODAY: 1.0})
    look(world)
    writes = ours(world)
    approve(world)

    world.work()
    look(world)

    assert world.values() == {YESTERDAY: 3.0, TODAY: 1.0}
    assert ours(world) == writes + 1
    assert (row(world, YESTERDAY).state, notices(world)) == ("landed", [])


def test_an_approved_correction_that_changed_again_is_judged_anew(world: World) -> None:
    """A person let 3 pass, not 2."""
    begin(world)
    say(world, {YESTERDAY: 3.0, TODAY: 1.0})
    look(world)
    approve(world)
    say(world, {YESTERDAY: 2.0, TODAY: 1.0})

    look(world)

    assert world.values()[YESTERDAY] == 5.0
    assert (row(world, YESTERDAY).state, row(world, YESTERDAY).value) == ("held", 2.0)


def test_a_dropped_correction_comes_back_only_when_it_changes(world: World) -> None:
    """The same value stays refused, sync after sync; another one is a new question."""
    begin(world)
    say(world, {YESTERDAY: 3.0, TODAY: 1.0})
    look(world)
    with world.ledger.write() as session:
        approvals.drop(session, [world.feed_id], daystamp=YESTERDAY, now=world.clock.at)
    for _ in range(3):
        look(world)
        assert (row(world, YESTERDAY).state, notices(world)) == ("landed", [])
    assert noted(world, YESTERDAY) == "a person dropped this correction"

    say(world, {YESTERDAY: 2.0, TODAY: 1.0})
    look(world)

    assert row(world, YESTERDAY).state == "held"
    assert world.values() == BEFORE


@pytest.mark.parametrize("changed", [3, 4])
def test_a_source_that_changes_many_days_at_once_is_not_believed(
    world: World, changed: int
) -> None:
    """More than three finished days, each for the better: held until a person says so."""
    rt = with_options(world, lookback_days=10)
    stamps = [f"202611{day}" for day in range(10, 20)]
    say(world, dict.fromkeys(stamps, 5.0) | {TODAY: 1.0})
    world.work(rt)
    say(
        world,
        dict.fromkeys(stamps, 5.0) | dict.fromkeys(stamps[:changed], 6.0) | {TODAY: 2.0},
    )

    look(world, rt=rt)

    better = 6.0 if changed == 3 else 5.0
    assert [world.values()[stamp] for stamp in stamps[:changed]] == [better] * changed
    assert world.values()[TODAY] == 2.0
    if changed > 3:
        approve(world)
        world.work(rt)
        assert [world.values()[stamp] for stamp in stamps[:changed]] == [6.0] * changed


def test_one_of_many_that_is_dropped_lets_none_of_the_others_pass(world: World) -> None:
    """Four days are held; a person refuses one of them: the other three wait on, also tomorrow."""
    rt = with_options(world, lookback_days=4)
    stamps = [f"202611{day}" for day in range(16, 20)]
    say(world, dict.fromkeys(stamps, 5.0) | {TODAY: 1.0})
    world.work(rt)
    say(world, dict.fromkeys(stamps, 6.0) | {TODAY: 1.0})
    look(world, rt=rt)
    with world.ledger.write() as session:
        approvals.drop(session, [world.feed_id], daystamp=stamps[3], now=world.clock.at)

    look(world, rt=rt)
    world.clock.advance(DAY)
    look(world, rt=rt)

    assert [world.values()[stamp] for stamp in stamps] == [5.0] * 4
    assert [row(world, stamp).state for stamp in stamps] == ["held"] * 3 + ["landed"]
    approve(world)
    world.work(rt)
    assert [world.values()[stamp] for stamp in stamps] == [6.0] * 3 + [5.0]


@pytest.mark.parametrize("later", [4.0, 6.0])
def test_a_value_that_was_refused_is_not_what_is_corrected(world: World, later: float) -> None:
    """Yesterday's was never taken, and changed since: the day gets its value, worse or better."""
    say(world, {YESTERDAY: 5.0})
    refusal = {"method": "POST", "path": "datapoints", "status": 422, "body": {"errors": "no"}}
    world.beeminder.faults.add(Fault(**refusal))
    world.work()
    assert world.values() == {}
    say(world, {YESTERDAY: later})
    look(world)
    assert world.values() == {YESTERDAY: later}


def test_a_day_without_a_value_gets_one_late(world: World) -> None:
    """Waggle was down, or the data came late: nothing is there yet, so nothing is corrected."""
    world.beeminder.state.change_goal("alice", "energy", yaw=-1)
    say(world, {TODAY: 1.0})
    world.work()
    assert world.values() == {TODAY: 1.0}
    say(world, {YESTERDAY: 4.0, TODAY: 1.0})

    look(world)

    assert world.values() == {YESTERDAY: 4.0, TODAY: 1.0}


def test_the_last_hour_of_a_do_less_day_is_no_correction(world: World) -> None:
    """The day ended between two syncs: its total is completed, and only what comes later asks."""
    begin(world, yaw=-1)
    midnight = world.clock.at + 12 * 3600
    say(world, BEFORE | {TODAY: 3.0})
    look(world, after=midnight + 600 - world.clock.at)
    assert world.values()[TODAY] == 3.0

    say(world, BEFORE | {TODAY: 4.0})
    look(world)

    assert world.values()[TODAY] == 3.0
    assert row(world, TODAY).state == "held"


def test_a_do_less_day_ends_without_a_question(world: World) -> None:
    """A meter that counts every minute, a goal that is not red: nothing is held, day after day."""
    calm = {"losedate": int(world.clock.at + 30 * DAY), "safebuf": 30}
    world.beeminder.state.change_goal("alice", "energy", yaw=-1, facts=calm)
    change_feed(world, since=TODAY)
    began = world.clock.at - DAY / 2
    values = {began + n * 60.0: 1.0 for n in range(2 * 1440)}
    world.measure(world.series, values)
    while world.clock.at < began + 1.2 * DAY:
        world.work()
        assert {found.state for found in all_rows(world, Datapoint)} == {"landed"}
        world.clock.at = max(world.clock.at + 1, world.feed().due_at)
    assert world.values()[TODAY] == 1440.0


def test_a_push_that_failed_before_midnight_goes_on_after_it(world: World) -> None:
    """What was judged while the day was open is not asked about because Beeminder was away."""
    begin(world, yaw=-1)
    say(world, BEFORE | {TODAY: 3.0})
    world.beeminder.faults.add(
        Fault(method="POST", path="datapoints", status=503, times=None, retry_after="50000")
    )
    look(world)
    world.beeminder.faults.clear()

    look(world, after=60_000)

    assert world.values()[TODAY] == 3.0
