"""Promises of what `waggle doctor` asks sources: what runs, and whose fault an error is."""

import pytest

from db.models import Feed

NOT_THERE = 987654  # no such series


@pytest.fixture(autouse=True)
def _else_well(staffed, door):
    """Nothing else is red."""


@pytest.fixture
def plant(here):
    """Run the doctor; returns what it says of the source."""

    def said(*, status):
        found = here.json("doctor", status=status)
        return next(finding for finding in found if finding["what"] == "source plant")

    return said


def change(ledger, feed_id, **columns):
    """Another state of a feed."""
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        for name, value in columns.items():
            setattr(feed, name, value)


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "failing", "reason": "set_aside"},
        {"suspect": True},
        {"state": "stopped", "reason": "unlinked"},
        {"state": "paused"},
        {"state": "paused", "reason": "goal_frozen"},
    ],
)
def test_what_does_not_run_is_not_asked_for(plant, ledger, world, columns):
    """A killer would kill the doctor, and what was unlinked would be red for ever."""
    change(ledger, world.link("output", series=NOT_THERE), **columns)
    found = plant(status=int(columns.get("reason") == "set_aside"))  # which is red by itself
    assert found["state"] == "ok"
    assert found["text"].endswith("1 read")


def test_a_source_of_which_nothing_runs_is_well(plant, ledger, world):
    """Its login is tried all the same."""
    change(ledger, world.feed_id, state="paused")
    assert plant(status=0)["text"].endswith("the login works, no feed reads it now")


def test_a_series_that_is_gone_is_told_with_its_feed(plant, world):
    """Which feed, and what is mended where: the address is right, and it runs."""
    world.link("output", series=NOT_THERE)
    found = plant(status=1)
    assert found["state"] == "red"
    assert found["text"].startswith("feed alice/output: ")
    assert "`params`" in found["remedy"]
    assert "address" not in found["remedy"]


def test_many_feeds_that_fail_are_one_line(plant, world):
    """The first by name, and how many more there are."""
    for label in ("a", "b", "c"):
        world.link("output", series=NOT_THERE, label=label)
    assert plant(status=1)["text"].startswith("feed alice/output:a (and 2 more of its feeds): ")


def test_a_feed_of_another_version_is_told_with_its_name(plant, ledger, world):
    """Its neighbours are read, and the text itself says what to do."""
    feed_id = world.link("output")
    change(ledger, feed_id, params={"timeseries": 1, "aggregation": "middle"})
    found = plant(status=1)
    assert found["text"].startswith("feed alice/output: parameter aggregation")
    assert "waggle apply" in found["text"]
    assert found["remedy"] == ""
