"""A person leaves: what we set is given back, all of it goes, and what was sent stays theirs."""

import json

import pytest
from sqlmodel import select

from db import people
from db.models import Feed, Goal, User
from db.models_points import Datapoint
from simulators.faults import Fault
from tasks import datasource_change, leaving
from tasks.leaving import Left
from tasks.runtime import Options, Runtime
from tests.db import everything
from tests.world import CrashError, World, crash_at

APP = "waggle"


def worker(world: World, **more: object) -> Runtime:
    """A worker with an app that Beeminder knows."""
    options = Options(beeminder_url=world.beeminder_server.url, beeminder_rate=0, app_name=APP)
    return world.runtime(options=options, **more)


@pytest.fixture(autouse=True)
def _fed(world: World) -> None:
    """Waggle feeds the goal, which something else fed before."""
    world.beeminder.register_app(
        APP, client_id=APP, client_secret="x", redirect_uri="https://x.example.org"
    )
    there(world).autodata = "api"
    world.work(worker(world))
    with world.reading() as session:
        goal_id = session.exec(select(Goal.id)).one()
    datasource_change.make(worker(world), goal_id or 0, APP)
    assert there(world).autodata == APP


def there(world: World):
    """The goal at Beeminder."""
    return world.beeminder.state.goal("alice", "energy")


def left(world: World) -> dict[str, list[dict[str, object]]]:
    """What tables there are rows in."""
    with world.reading() as session:
        return {name: rows for name, rows in everything.rows(session).items() if rows}


def leave(world: World, **more: object) -> Left:
    """Alice leaves."""
    return leaving.leave(worker(world, **more), world.user_id)


def test_the_data_source_is_given_back_and_points_stay(world: World) -> None:
    """The goal is fed by what fed it before, and what we sent is still there."""
    before = world.values()
    done = leave(world)
    assert (done.still_set, done.rows["user"], done.rows["datapoint"]) == ([], 1, len(before))
    assert there(world).autodata == "api"
    assert world.values() == before
    assert "alice" not in json.dumps(left(world))


def test_it_goes_on_while_beeminder_is_away(world: World) -> None:
    """That the data source could not be given back is told, with the reason."""
    world.beeminder.faults.add(Fault(path="goals/energy", status=500, times=None))
    done = leave(world)
    assert [slug for slug, _ in done.still_set] == ["energy"]
    assert "Beeminder" in done.still_set[0][1]
    assert "alice" not in json.dumps(left(world))


def test_one_who_took_the_access_away_goes_too(world: World) -> None:
    """There is no token any more to give anything back with."""
    with world.ledger.write() as session:
        user = session.get_one(User, world.user_id)
        people.deauthorize(
            session, world.user_id, token_version=user.token_version, now=world.clock.at
        )
    done = leave(world)
    assert [slug for slug, _ in done.still_set] == ["energy"]
    assert "alice" not in json.dumps(left(world))


def test_a_crash_half_way_is_made_good(world: World) -> None:
    """Nothing is fed any more after the first step; the second try ends it."""
    with pytest.raises(CrashError):
        leave(world, trace=crash_at("person.given_back"))
    with world.reading() as session:
        assert session.exec(select(Feed.state)).one() == "stopped"
        assert session.exec(select(Datapoint.state).where(Datapoint.state == "pending")).all() == []
    assert leave(world).rows["user"] == 1
    assert leave(world).rows == {}


def test_who_does_not_insist_stays_while_something_is_in_the_way(world: World) -> None:
    """Nothing is deleted, nothing is fed; when it is out of the way they go."""
    fault = Fault(path="goals/energy", status=500, times=None)
    world.beeminder.faults.add(fault)
    recorded: list[object] = []
    kept = leaving.leave(worker(world), world.user_id, anyhow=False, record=recorded.append)
    assert (kept.rows, [slug for slug, _ in kept.still_set], recorded) == ({}, ["energy"], [])
    with world.reading() as session:
        assert session.exec(select(Feed.state)).one() == "stopped"

    world.beeminder.faults.clear()
    world.clock.advance(60.0)
    gone = leaving.leave(worker(world), world.user_id, anyhow=False, record=recorded.append)
    assert (gone.rows["user"], gone.still_set, len(recorded)) == (1, [], 1)
    assert there(world).autodata == "api"


def test_what_a_person_set_meanwhile_is_not_touched(world: World) -> None:
    """It is not ours to give back."""
    there(world).autodata = "ifttt"
    assert leave(world).still_set == []
    assert there(world).autodata == "ifttt"
