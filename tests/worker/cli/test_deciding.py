"""Promises of approve and pin: what was shown is what was decided, and nothing else."""

import time

import pytest
from sqlmodel import select

from db import notices
from db.models import Backfill, Feed, Notice
from db.models_points import Datapoint, Day
from tasks import days

WHY = "would make a finished day worse: 5 → 2"


def hold(ledger, daystamp, label="", **more):
    """A correction that waits: 5 is there, the source says 2."""
    with ledger.write() as session:
        feed = session.exec(select(Feed).where(Feed.label == label)).one()
        values = {
            "daystamp": daystamp,
            "value": 2.0,
            "landed_value": 5.0,
            "landed_hash": "h5",
            "content_hash": "h2",
            "state": "held",
            "error": WHY,
        }
        session.add(
            Datapoint(
                goal_id=feed.goal_id,
                feed_id=feed.id,
                requestid=f"wg-{label}{daystamp}",
                **(values | more),
            )
        )
        notices.raise_(
            session, user_id=1, subject=f"feed:{feed.id}", kind="held", message="m", now=1.0
        )


def states(ledger):
    """State by requestid."""
    with ledger.read() as session:
        return {row.requestid: row.state for row in session.exec(select(Datapoint))}


def bells(folder):
    """Which queues were rung."""
    return [path.name for path in (folder / "var" / "queue").rglob("*.default.msg")]


def test_one_day_is_approved_and_told(applied, ledger, folder):
    """Both values and the reason are shown, the other day stays held, and a bell is rung."""
    hold(ledger, "20261119")
    hold(ledger, "20261118")
    told = applied("approve", "alice/energy", "2026-11-19").stdout
    for word in ("alice/energy", "2026-11-19", " 5 ", " 2 ", WHY, "1 correction approved"):
        assert word in told
    assert "2026-11-18" not in told
    assert states(ledger) == {"wg-20261119": "pending", "wg-20261118": "held"}
    assert len(bells(folder)) == 1


def test_all_days_of_all_feeds_are_approved(applied, ledger):
    """--all without a label means the whole goal; the notices go with the last one."""
    hold(ledger, "20261119")
    hold(ledger, "20261118", label="roof")
    assert "2 corrections approved" in applied("approve", "alice/energy", "--all").stdout
    assert set(states(ledger).values()) == {"pending"}
    with ledger.read() as session:
        assert all(row.cleared_at is not None for row in session.exec(select(Notice)))


def test_a_label_means_one_feed(applied, ledger):
    """What the other one holds is not decided with it."""
    hold(ledger, "20261119")
    hold(ledger, "20261119", label="roof")
    applied("approve", "alice/energy:roof", "20261119")
    assert states(ledger) == {"wg-20261119": "held", "wg-roof20261119": "pending"}


def test_drop_leaves_what_is_there(applied, ledger, folder):
    """Nothing is sent, no bell is rung."""
    hold(ledger, "20261119")
    told = applied("approve", "alice/energy", "2026-11-19", "--drop").stdout
    assert "1 correction dropped: what is at Beeminder stays" in told
    assert states(ledger) == {"wg-20261119": "landed"}
    assert bells(folder) == []


def test_a_day_without_anything_held_is_refused_with_what_is(applied, ledger):
    """Exit status 2 and the days that are held, so that a slip of the finger decides nothing."""
    line = applied.refusal("approve", "alice/energy", "today")
    assert line == "nothing of alice/energy is held"
    hold(ledger, "20261119")
    hold(ledger, "20261118")
    line = applied.refusal("approve", "alice/energy", "2026-11-17")
    assert line == "nothing of alice/energy is held on 2026-11-17; held: 2026-11-18, 2026-11-19"
    assert set(states(ledger).values()) == {"held"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name one day, or --all"),
        (("2026-11-19", "--all"), "name one day, or --all"),
        (("19.11.2026",), "write it as 2026-11-20"),
    ],
)
def test_without_a_clear_choice_nothing_is_decided(applied, ledger, arguments, told):
    """Exit status 2, and the correction is still held."""
    hold(ledger, "20261119")
    assert told in applied.refusal("approve", "alice/energy", *arguments)
    assert states(ledger) == {"wg-20261119": "held"}


def test_without_a_worker_whoever_approves_knows(applied, ledger):
    """It is sent later, and a drop needs nobody."""
    hold(ledger, "20261119")
    hold(ledger, "20261118")
    assert "waggle up" in applied("approve", "alice/energy", "2026-11-19").stderr
    assert applied("approve", "alice/energy", "2026-11-18", "--drop").stderr == ""


def test_a_paused_feed_is_told_of(applied, ledger):
    """An approved correction waits as long as its feed is paused, and whoever approved knows."""
    hold(ledger, "20261119")
    applied("pause", "alice/energy")
    done = applied("approve", "alice/energy", "2026-11-19")
    assert "waggle resume alice/energy" in done.stderr


def test_today_is_pinned_and_unpinned(applied, ledger):
    """Both feeds of the goal; what waits for the day is not sent."""
    now = time.time()
    today = days.day_of(now, days.zone("UTC"), 0)
    hold(ledger, today, state="pending", error=None)
    told = applied("pin", "alice/energy", "today").stdout
    assert "alice/energy:roof: " in told
    assert "what waited to be sent is not" in told
    assert states(ledger) == {f"wg-{today}": "landed"}
    with ledger.read() as session:
        pinned = session.exec(select(Day)).all()
    assert {(day.daystamp, day.pinned) for day in pinned} == {(today, True)}
    assert all(day.starts_at <= now < day.ends_at for day in pinned)
    assert "no longer pinned" in applied("pin", "alice/energy:roof", today, "--off").stdout
    with ledger.read() as session:
        assert sorted(day.pinned for day in session.exec(select(Day))) == [False, True]


def test_a_pin_needs_a_day(applied, ledger):
    """A word that is none changes nothing."""
    assert "is no day" in applied.refusal("pin", "alice/energy", "soon")
    with ledger.read() as session:
        assert session.exec(select(Day)).all() == []


def test_days_that_build_on_an_approved_one_are_read_again(applied, ledger, folder):
    """A running total: what follows is asked for, said, and rung for; a drop changes nothing."""
    with ledger.write() as session:
        feed = session.exec(select(Feed).where(Feed.label == "")).one()
        feed.cursor = {"shape": "running_total"}
        session.add(feed)
    hold(ledger, "20261118")
    applied("approve", "alice/energy", "--all", "--drop")
    with ledger.read() as session:
        assert session.exec(select(Backfill)).all() == []
    hold(ledger, "20261117")
    told = applied("approve", "alice/energy", "--all").stdout
    assert "from 2026-11-17 on build on each other and are read again" in told
    with ledger.read() as session:
        (asked,) = session.exec(select(Backfill)).all()
    assert (asked.first_day, asked.state) == ("20261117", "working")
