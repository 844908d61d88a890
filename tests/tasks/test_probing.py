"""A probe finds out how a Beeminder behaves, hurts nobody, and names nobody."""

import json
from dataclasses import asdict

import pytest

from db.models import User
from simulators import beeminder_datapoints
from simulators.beeminder_shapes import BatchShape
from simulators.beeminder_unknowns import Unknowns, settings_of
from simulators.faults import Fault
from tasks import probing
from tasks.probing import NotThrowAwayError, Profile
from tests.world import TOKEN, World

SLUG = "throw-away"


@pytest.fixture(autouse=True)
def _goal(world: World) -> None:
    """A new goal without money."""
    world.beeminder.state.add_goal("alice", SLUG, facts={"pledge": 0})


def probe(world: World, *only: str) -> Profile:
    """Ask all of it, or these steps only."""
    with world.reading() as session:
        user = session.get_one(User, world.user_id)
    asked = probing.prepared(world.runtime(), user, SLUG)
    steps = [step for step in probing.STEPS if not only or step.name in only]
    return probing.run(asked, steps, began=lambda _step: None)


def behave(world: World, **unknowns: object) -> None:
    """How this Beeminder is."""
    for name, value in unknowns.items():
        setattr(world.beeminder.state, name, value)


@pytest.mark.parametrize(
    ("name", "value", "step"),
    [
        ("resends", "refused", "resends"),
        ("resends", "shown", "resends"),
        ("compares", ("value", "comment", "timestamp"), "compares"),
        ("compares", ("value",), "compares"),
        ("compares", ("value", "comment"), "compares"),
        ("reuses_requestids", True, "reuses"),
        ("reuses_requestids", False, "reuses"),
        ("queue_seconds", 0.0, "queue"),
        ("queue_seconds", 5.0, "queue"),
        ("partial_status", 200, "batches"),
        ("partial_status", 422, "batches"),
        ("refreshes", True, "refreshes"),
        ("refreshes", False, "refreshes"),
    ],
)
def test_it_finds_what_the_simulator_was_set_to(
    world: World, name: str, value: object, step: str
) -> None:
    """Each setting in each way, and the profile says the same."""
    behave(world, **{name: value})
    found = settings_of({"unknowns": json.loads(json.dumps(probe(world, step).unknowns))})
    assert found[name] == value


@pytest.mark.parametrize(
    "shape",
    [
        BatchShape(),
        BatchShape(errors="objects", resend="duplicate"),
        BatchShape(errors="mapping", resend="silent"),
        BatchShape(errors="nested", resend="omitted", successes="nested"),
        BatchShape(container="list", errors="shown"),
        BatchShape(container="list", errors="nested", successes="nested", resend="error"),
        BatchShape(container="list", errors="objects", resend="duplicate"),
    ],
)
def test_it_finds_how_a_batch_is_told(world: World, shape: BatchShape) -> None:
    """What goes wrong in part, in each way that is plausible."""
    behave(world, batch_shape=shape)
    assert probe(world, "batches").unknowns["batch_shape"] == asdict(shape)


def test_a_profile_is_taken_by_the_simulator(world: World) -> None:
    """All that was found out, and no setting that is not there."""
    behave(world, resends="shown", queue_seconds=3.0)
    found = settings_of({"unknowns": probe(world).unknowns})
    assert found.keys() <= set(Unknowns.__dataclass_fields__)
    assert (found["resends"], found["queue_seconds"]) == ("shown", 3.0)


@pytest.mark.parametrize(
    "profile", [[], {}, {"unknowns": {"shoe": 1}}, {"unknowns": {"batch_shape": {"x": 1}}}]
)
def test_another_file_is_no_profile(profile: object) -> None:
    """It says what is wrong with it."""
    with pytest.raises(ValueError, match=r"unknowns|setting|batch_shape"):
        settings_of(profile)


def test_what_was_written_is_taken_away(world: World) -> None:
    """Nothing is left on the goal, also where a step failed on the way."""
    probe(world)
    assert world.beeminder.state.datapoints("alice", SLUG) == []
    world.beeminder.faults.add(Fault(path="refresh_graph", status=503, times=None))
    answers = probe(world, "resends", "refreshes").answers
    assert answers["refreshes"].value is None
    assert answers["resends"].value is not None
    assert world.beeminder.state.datapoints("alice", SLUG) == []


def test_nobody_is_named(world: World) -> None:
    """No username, goal or token in a value or its evidence."""
    text = json.dumps([asdict(answer) for answer in probe(world).answers.values()])
    assert not [name for name in ("alice", SLUG, TOKEN) if name in text]


def test_what_is_not_asked_stays_unknown(world: World) -> None:
    """With what would tell."""
    answers = probe(world, "origin").answers
    assert set(probing.NOT_ASKED) <= answers.keys()
    assert answers["rate_limit"].value is None
    assert probe(world, "datasource").answers["autodata"].value is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"facts": {"pledge": 5}}, "money"),
        ({"facts": {"pledge": None}}, "money"),
        ({"autodata": "ifttt"}, "data source"),
    ],
)
def test_a_goal_that_is_of_use_is_refused(
    world: World, change: dict[str, object], why: str
) -> None:
    """Before anything is written."""
    world.beeminder.state.change_goal("alice", SLUG, **change)
    with pytest.raises(NotThrowAwayError, match=why):
        probe(world)
    assert world.beeminder.state.datapoints("alice", SLUG) == []


def test_a_goal_with_somebodys_data_is_refused(world: World) -> None:
    """One datapoint that is not a probe's is enough."""
    goal = world.beeminder.state.goal("alice", SLUG)
    beeminder_datapoints.upsert(world.beeminder.state, goal, {"value": 1.0}, via=None)
    with pytest.raises(NotThrowAwayError, match="1 datapoints that are not ours"):
        probe(world)


def test_a_goal_that_is_not_there_is_told(world: World) -> None:
    """The name may be misspelt."""
    world.beeminder.state.rename_goal("alice", SLUG, "other")
    with pytest.raises(NotThrowAwayError, match="no goal"):
        probe(world)
