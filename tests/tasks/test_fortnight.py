"""The last 14 days of a feed, or of a draft: what a person decides by, and nothing is written."""

import pytest

from db.models import Feed, Goal
from db.models_points import Datapoint
from simulators import beeminder_datapoints
from tasks import fortnight
from tasks.declared import DeclaredFeed
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows
from tests.tasks.sourced import APP, Sourced
from tests.world import DAY, NOON, World


def draft(world: World, slug: str = "output", **more: object) -> DeclaredFeed:
    """A feed that nobody has made."""
    given = {
        "username": "alice",
        "slug": slug,
        "label": "",
        "source": "plant",
        "metric": "timeseries_aggregate",
        "params": {"timeseries": world.series, "aggregation": "sum", "data_state": "Clean"},
        "options": {},
        "since": None,
        "every": 3600.0,
    }
    return DeclaredFeed(**(given | more))  # type: ignore[arg-type]


def days(answer: dict) -> dict:
    """The rows by daystamp."""
    return {row["daystamp"]: row for row in answer["days"]}


def of_draft(world: World, rt=None, **more: object) -> dict:
    """The answer about a draft."""
    return fortnight.of_draft(rt or world.runtime(), world.source_id, draft(world, **more))


def test_a_draft_shows_two_weeks_and_writes_nothing(world: World) -> None:
    """Each day once; what the next sync would create, and what is too early for it."""
    world.measure(world.series, {NOON - 5 * DAY: 4.0})
    answer = of_draft(world)
    found = days(answer)
    assert len(answer["days"]) == fortnight.DAYS
    assert (found[TODAY]["source"], found[TODAY]["action"]) == (2.5, "create")
    assert (found[YESTERDAY]["value"], found[YESTERDAY]["action"]) == (7.0, "create")
    assert (found["20261115"]["source"], found["20261115"]["action"]) == (4.0, "earlier")
    assert answer["unit"] is not None
    assert (answer["problem"], answer["kind"]) == (None, "total")
    assert answer["goal"]["kyoom"] is True
    assert len(all_rows(world, Feed)) == 1
    assert [goal.slug for goal in all_rows(world, Goal)] == ["energy"]
    assert all_rows(world, Datapoint) == []
    assert world.beeminder.faults.count(method="POST") == 0


def test_days_before_the_first_one_are_not_sent(world: World) -> None:
    """They are shown, and say so."""
    found = days(of_draft(world, since=TODAY))
    assert found[TODAY]["action"] == "create"
    assert found[YESTERDAY]["action"] == "before"
    assert "2026-11-20" in found[YESTERDAY]["why"]
    assert found[YESTERDAY]["source"] == 7.0


def test_points_of_others_are_shown_and_warned_of(world: World) -> None:
    """A day that was entered by hand would count twice."""
    state = world.beeminder.state
    goal = state.goal("alice", "output")
    beeminder_datapoints.upsert(state, goal, {"value": 6.0, "daystamp": YESTERDAY}, via=None)
    answer = of_draft(world)
    row = days(answer)[YESTERDAY]
    assert (row["there"], row["others"], row["ours"]) == (6.0, 1, 0)
    assert any("2026-11-19" in text and "added" in text for text in answer["warnings"])
    assert not any("added" in text for text in of_draft(world, since=TODAY)["warnings"])


def test_a_goal_that_counts_otherwise_is_said(world: World) -> None:
    """A total on a goal that does not sum goes as a running total from its first day on."""
    world.beeminder.state.change_goal("alice", "output", kyoom=False)
    answer = of_draft(world, since=YESTERDAY)
    assert answer["shape"] == "running_total"
    assert any("running total" in text for text in answer["warnings"])
    assert days(answer)[TODAY]["value"] == 9.5


def test_a_goal_that_can_take_nothing_is_a_problem(world: World) -> None:
    """No days are planned; what is on the goal is shown all the same."""
    world.beeminder.state.change_goal("alice", "output", aggday="triangle")
    answer = of_draft(world)
    assert "'triangle'" in answer["problem"]
    assert answer["unfit"] is True
    assert {row["action"] for row in answer["days"]} == {"nothing"}
    world.beeminder.state.change_goal("alice", "output", aggday="sum", frozen=True)
    world.clock.advance(700)
    answer = of_draft(world)
    assert "frozen" in answer["problem"]
    assert answer["unfit"] is False


def test_other_units_are_warned_of(world: World) -> None:
    """The unit of what was read beside the goal's."""
    world.beeminder.state.change_goal("alice", "output", gunits="km")
    assert any("'km'" in text for text in of_draft(world)["warnings"])


def test_whose_place_it_would_take(world: World) -> None:
    """Nobody's, somebody's, or its own; nothing without an app, or where the feed says keep."""
    house = Sourced(world)
    assert of_draft(world)["datasource"]["sets"] is False
    told = of_draft(world, house.runtime())["datasource"]
    assert (told["app"], told["sets"], told["replaces"]) == (APP, True, False)
    world.beeminder.state.goal("alice", "output").autodata = "fitbit"
    world.clock.advance(700)
    told = of_draft(world, house.runtime())["datasource"]
    assert (told["now"], told["replaces"]) == ("'fitbit'", True)
    told = of_draft(world, house.runtime(), options={"datasource": "keep"})["datasource"]
    assert (told["sets"], told["replaces"]) == (False, False)


def test_a_feed_that_is_there_says_what_comes_next(world: World, landed: None) -> None:
    """What is on the goal is unchanged, a new sample is an update."""
    world.measure(world.series, {world.clock.at - 60: 1.0})
    found = days(fortnight.of_feed(world.runtime(), world.feed_id))
    assert (found[TODAY]["action"], found[TODAY]["value"], found[TODAY]["there"]) == (
        "update", 3.5, 2.5,
    )  # fmt: skip
    assert found[YESTERDAY]["action"] == "unchanged"
    assert (found[YESTERDAY]["ours"], found[YESTERDAY]["others"]) == (1, 0)


@pytest.mark.parametrize("label", ["", "roof"])
def test_a_second_feed_of_a_goal_is_counted(world: World, label: str) -> None:
    """Beside others on a goal that sums; in its own place it is no other."""
    answer = of_draft(world, slug="energy", label=label)
    assert answer["feeds"] == (2 if label else 1)
