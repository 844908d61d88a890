"""What a person has to mend: the event ends with the reason, the next callback wakes the feed."""

from collections.abc import Callable

import pytest

from db import people
from db.models import Goal, Source, User
from db.models_points import Datapoint
from db.states import FeedState
from simulators.bemserver_state import User as Login
from simulators.faults import Fault
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed, only_today
from tests.world import PASSWORD, TOKEN, World


def login(world: World) -> Login:
    """Alice's account at the BEMServer."""
    return next(iter(world.bemserver.state.users.values()))


def wrong_password(world: World) -> Callable[[], None]:
    """Her password was changed there."""
    login(world).password = "another"

    def mend() -> None:
        login(world).password = PASSWORD

    return mend


def unknown_series(world: World) -> Callable[[], None]:
    """The feed names a series that is not there."""
    change_feed(world, params={"timeseries": 999})

    def mend() -> None:
        change_feed(world, params={"timeseries": world.series, "data_state": "Clean"})

    return mend


def unknown_state(world: World) -> Callable[[], None]:
    """The feed names a data state that is not there."""
    change_feed(world, params={"timeseries": world.series, "data_state": "Pure"})

    def mend() -> None:
        change_feed(world, params={"timeseries": world.series, "data_state": "Clean"})

    return mend


def goal_gone(world: World) -> Callable[[], None]:
    """The goal was deleted at Beeminder, and comes back."""
    goal = world.beeminder.state.users["alice"].goals.pop("energy")

    def mend() -> None:
        world.beeminder.state.users["alice"].goals["energy"] = goal

    return mend


def refused(world: World) -> Callable[[], None]:
    """Beeminder refuses whatever is written, and does not say that the goal rests."""
    no = {"errors": "no"}
    faults = world.beeminder.faults
    faults.add(Fault(path="datapoints", method="POST", status=422, body=no, times=None))

    return faults.clear


def token_refused(world: World) -> Callable[[], None]:
    """Beeminder does not know the token."""
    del world.beeminder.state.personal_tokens[TOKEN]

    def mend() -> None:
        world.beeminder.state.personal_tokens[TOKEN] = world.beeminder.state.users["alice"]

    return mend


def no_metric(world: World) -> Callable[[], None]:
    """The feed names a metric of a version that is not installed."""
    change_feed(world, metric="tea_leaves")

    def mend() -> None:
        change_feed(world, metric="timeseries_aggregate")

    return mend


CAUSES = {
    wrong_password: "auth_failed",
    unknown_series: "not_found",
    unknown_state: "unknown_data_state",
    goal_gone: "goal_not_found",
    refused: "rejected",
    token_refused: "reauthorize",
    no_metric: "bad_settings",
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_permanent_failure_ends_the_event_and_waits_for_a_person(
    world: World, cause: Callable[[World], Callable[[], None]]
) -> None:
    """The event fails with the reason, nothing is tried again by itself, a callback wakes it."""
    mend = cause(world)
    event_id = world.call_back()

    world.work()

    event, feed = world.event(event_id), world.feed()
    assert (event.state, event.attempts) == ("failed", 1)
    assert event.error is not None
    assert event.error["code"] == CAUSES[cause]
    assert event.error["message"]
    assert (feed.state, feed.reason, feed.last_error) == (
        "failing",
        event.error["code"],
        event.error["message"],
    )
    asked = world.beeminder.faults.count() + world.bemserver.faults.count()
    world.clock.advance(3600)
    world.work()
    assert world.beeminder.faults.count() + world.bemserver.faults.count() == asked

    mend()
    second = world.call_back()
    world.work()
    assert world.event(second).state == "done"
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}
    feed = world.feed()
    assert (feed.state, feed.reason, feed.last_error, feed.attempts) == ("active", None, None, 0)


@pytest.mark.parametrize("cause", [goal_gone, refused, token_refused])
def test_a_push_that_is_refused_for_good_is_not_repeated_at_once(
    world: World, cause: Callable[[World], Callable[[], None]]
) -> None:
    """It worked a minute ago, now the push is refused: shown, and not tried again in a circle."""
    world.work()
    world.clock.advance(60)
    world.measure(world.series, {world.clock.at - 30: 1.0})
    mend = cause(world)
    before = world.beeminder.faults.count("datapoints", "POST")
    event_id = world.call_back()

    world.work()

    assert world.event(event_id).state == "failed"
    assert world.feed().state == "failing"
    assert world.beeminder.faults.count("datapoints", "POST") <= before + 2
    mend()
    again = world.call_back()
    world.work()
    assert world.event(again).state == "done"
    assert world.values()[TODAY] == 3.5


def test_a_refused_value_is_not_called_fresh_by_the_next_callback(world: World) -> None:
    """As long as Beeminder refuses the point every callback fails; none is told that it landed."""
    refused(world)
    first = world.call_back()
    world.work()
    world.clock.advance(5)
    second = world.call_back()

    world.work()

    assert [world.event(event_id).state for event_id in (first, second)] == ["failed", "failed"]
    assert {row.state for row in all_rows(world, Datapoint)} == {"rejected"}


def test_one_refused_point_does_not_keep_its_neighbours(world: World) -> None:
    """Of a batch one point is refused: the others land, the feed says why it is failing."""
    world.beeminder.faults.add(
        Fault(
            method="POST",
            path=r"datapoints\.json",
            status=422,
            body={"errors": {"daystamp": ["is invalid"]}},
        )
    )
    world.beeminder.faults.add(
        Fault(method="POST", path="create_all", status=422, body={"errors": "no"})
    )
    event_id = world.call_back()

    world.work()

    assert world.values() == {TODAY: 2.5}
    assert world.event(event_id).state == "failed"
    assert {row.daystamp: row.state for row in all_rows(world, Datapoint)} == {
        YESTERDAY: "rejected",
        TODAY: "landed",
    }


def test_a_wrong_password_is_sent_once(world: World) -> None:
    """Many feeds of a source whose login is refused: one login, and the source says reauthorize."""
    for number in range(8):
        world.link("output", label=f"l{number}")
    wrong_password(world)

    world.work()

    assert world.bemserver.faults.count("auth/token$") == 1
    (source,) = all_rows(world, Source)
    assert (source.state, bool(source.last_error)) == ("reauthorize", True)
    assert {world.feed(number).state for number in range(1, 10)} == {"failing"}
    login(world).password = PASSWORD
    world.call_back()
    world.work()
    assert all_rows(world, Source)[0].state == "active"


def test_a_rotated_token_is_read_again_once(world: World) -> None:
    """Beeminder refuses the token that was read; the stored one is newer and works."""
    only_today(world)
    event_id = world.call_back()

    def rotate(step: str) -> None:
        if step != "claimed":
            return
        state = world.beeminder.state
        state.personal_tokens["newer"] = state.personal_tokens.pop(TOKEN)

    asked: list[str] = []
    rt = world.runtime(trace=rotate)
    send = world.http.send

    def store_meanwhile(*args: object, **more: object) -> object:
        answer = send(*args, **more)  # type: ignore[arg-type]
        if answer.status_code == 401 and not asked:
            asked.append("401")
            with world.ledger.write() as session:
                alice = session.get_one(User, world.user_id)
                people.set_token(alice, world.vault, token="newer", kind="personal")
                session.add(alice)
        return answer

    world.http.send = store_meanwhile  # type: ignore[method-assign]
    world.work(rt)

    assert asked == ["401"]
    assert world.event(event_id).state == "done"
    (alice,) = all_rows(world, User)
    assert alice.state == "active"


def test_a_refused_token_asks_the_person_to_connect_again(world: World) -> None:
    """Nothing newer is stored: the user is `reauthorize`, the token is kept, nothing is deleted."""
    token_refused(world)
    world.call_back()

    world.work()

    (alice,) = all_rows(world, User)
    assert alice.state == "reauthorize"
    assert alice.token_cipher is not None


@pytest.mark.parametrize("outcome", ["works", "fails"])
def test_a_feed_that_is_paused_during_its_sync_stays_paused(world: World, outcome: str) -> None:
    """Only the person resumes what the person paused: neither success nor failure does."""
    if outcome == "fails":
        refused(world)

    def pause(step: str) -> None:
        if step == "recorded":
            change_feed(world, state=FeedState.PAUSED)

    event_id = world.call_back()

    world.work(world.runtime(trace=pause))

    assert world.feed().state == "paused"
    assert world.event(event_id).state == ("done" if outcome == "works" else "failed")


def test_an_unknown_time_zone_is_a_reason_and_no_crash(world: World) -> None:
    """Beeminder names a zone that this machine does not know: said so, not tried in circles."""
    with world.ledger.write() as session:
        alice = session.get_one(User, world.user_id)
        alice.timezone, alice.facts_at = "Mars/Olympus", world.clock.at
        session.add(alice)
    event_id = world.call_back()

    world.work()

    event = world.event(event_id)
    assert (event.state, event.error and event.error["code"]) == ("failed", "bad_settings")
    assert "Mars/Olympus" in str(event.error)


def test_an_unreadable_secret_is_a_reason_and_no_crash(world: World) -> None:
    """A token or password written under a key that is gone: the feed says so."""
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        source.credentials_cipher = "gAAAAA-not-ours"
        session.add(source)
    event_id = world.call_back()

    world.work()

    event = world.event(event_id)
    assert (event.state, event.error and event.error["code"]) == ("failed", "unreadable_secret")
    assert len(all_rows(world, Goal)) == 1
