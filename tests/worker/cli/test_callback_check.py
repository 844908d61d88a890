"""Promises of `waggle doctor --callback`: one request, and every place where it ends is named."""

import threading

import pytest

from db import inbox
from db.inbox import NewEvent
from db.models import Worker
from db.states import EventKind
from simulators.server import LocalServer
from tests.worker.cli.goals import APP, there, with_app


async def healthy(_scope, _receive, send):
    """A receiver that says that it lives."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


class Callbacks:
    """Beeminder's call, as the receiver would store it when the refresh is asked for."""

    def __init__(self, world):
        self.world = world
        self.error = None
        self.comes = True
        self.ends = True
        self.queued = True
        world.beeminder.calls.refresh_soon = self.arrive

    def arrive(self, goal):
        """The moment at which Beeminder calls."""
        if self.comes:
            threading.Thread(target=self.store, args=(goal.slug,)).start()
        return self.queued

    def store(self, slug, username="Alice"):
        """Store it, and end it."""
        with self.world.ledger.write() as session:
            now = self.world.clock.at + 1
            new = NewEvent(
                kind=EventKind.AUTOFETCH,
                payload={"username": username, "slug": slug},
                received_at=now,
            )
            inbox.store(session, [new])
            if self.ends:
                inbox.finish(session, [new.id], now, error=self.error)


@pytest.fixture
def callbacks(world):
    """What comes when Beeminder is asked to refresh."""
    return Callbacks(world)


@pytest.fixture
def follow(here, world, ledger, callbacks):
    """Run it; returns its findings by what they are about."""
    app = with_app(here, world)
    there(world).autodata = APP
    with ledger.write() as session:
        session.add(
            Worker(name="w", queues="urgent,default,bulk", slots=1, started_at=0, seen_at=9e9)
        )
    with LocalServer(healthy) as receiver:
        app.env["WAGGLE_PUBLIC_URL"] = receiver.url

        def followed(*, status, timeout="3"):
            asked = ("doctor", "--callback", "alice/energy", "--timeout", timeout)
            return {found["what"]: found for found in app.json(*asked, status=status)}

        followed.app = app
        yield followed


def refreshes(world):
    """How often Beeminder was asked."""
    return world.beeminder.faults.count(path="refresh_graph")


def test_the_whole_way_is_followed(follow, world):
    """Every step is ok, each with how long it took, after one request."""
    found = follow(status=0)
    assert list(found) == [
        "app",
        "workers",
        "receiver",
        "data source",
        "refresh",
        "callback",
        "answer",
    ]
    assert {each["state"] for each in found.values()} == {"ok"}
    assert refreshes(world) == 1


def test_without_an_app_nobody_is_asked(follow, world):
    """Nothing would come, and it is said what to register."""
    del follow.app.env["WAGGLE_BEEMINDER_APP_NAME"]
    found = follow(status=1)
    assert found["app"]["state"] == "red"
    assert "waggle init" in found["app"]["remedy"]
    assert refreshes(world) == 0


def test_another_data_source_is_named(follow, world):
    """With the command that makes it ours; Beeminder is not asked for nothing."""
    there(world).autodata = "fitbit"
    found = follow(status=1)
    assert found["data source"]["state"] == "red"
    assert "'fitbit'" in found["data source"]["text"]
    assert found["data source"]["remedy"] == "waggle link alice/energy"
    assert refreshes(world) == 0


def test_a_name_in_another_case_is_ours(follow, world):
    """How Beeminder writes an app's name is not documented."""
    there(world).autodata = "Waggle"
    assert follow(status=0)["data source"]["state"] == "ok"


def test_without_a_worker_nobody_is_asked(follow, world, ledger):
    """The callback would be answered late: start one first."""
    with ledger.write() as session:
        session.get_one(Worker, "w").seen_at = 0
    assert follow(status=1)["workers"]["remedy"] == "waggle up"
    assert refreshes(world) == 0


def test_a_callback_that_does_not_come_is_red(follow, callbacks):
    """Within its time, with the address that has to be reachable."""
    callbacks.comes = False
    found = follow(status=1, timeout="0.3")
    assert found["callback"]["state"] == "red"
    assert follow.app.env["WAGGLE_PUBLIC_URL"] in found["callback"]["remedy"]


def test_a_callback_of_before_is_none(follow, callbacks):
    """Nor is one of another person or another goal."""
    callbacks.comes = False
    callbacks.store("energy")
    callbacks.store("energy", username="bob")
    callbacks.store("output")
    assert follow(status=1, timeout="0.3")["callback"]["state"] == "red"


def test_a_refresh_that_is_not_queued_is_odd(follow, callbacks):
    """Beeminder says so itself; if its call comes all the same, all is well."""
    callbacks.queued = False
    assert follow(status=0)["refresh"]["state"] == "odd"


def test_a_sync_that_fails_is_red(follow, callbacks):
    """The callback came, its answer was none: why, and where to read more."""
    callbacks.error = {"code": "x", "message": "source plant: no login"}
    found = follow(status=1)
    assert found["callback"]["state"] == "ok"
    assert "no login" in found["answer"]["text"]
    assert found["answer"]["remedy"].startswith("waggle event ")


def test_a_sync_that_does_not_end_is_red(follow, callbacks):
    """Bounded: the command does not wait for ever."""
    callbacks.ends = False
    assert "not done" in follow(status=1, timeout="0.5")["answer"]["text"]


def test_a_receiver_out_of_reach_is_odd(follow):
    """From inside a network the public address may not work: no reason to fail."""
    follow.app.env["WAGGLE_PUBLIC_URL"] = "http://127.0.0.1:1"
    found = follow(status=0)
    assert found["receiver"]["state"] == "odd"
    assert "waggle up" in found["receiver"]["remedy"]


def test_beeminder_that_is_away_is_red(follow, world):
    """One line, no traceback."""
    world.beeminder.state.personal_tokens.clear()
    assert follow(status=1)["Beeminder"]["state"] == "red"


def test_an_unknown_goal_is_refused(follow):
    """Exit status 2, with the nearest name."""
    assert "alice/energy" in follow.app.refusal("doctor", "--callback", "alice/enrgy")
