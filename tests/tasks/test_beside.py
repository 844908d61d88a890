"""Facts are read while the source is asked, and nothing comes of it before both are done."""

from collections.abc import Callable

import pytest

from db.models import Goal, User
from db.states import Lane
from simulators.faults import Fault
from tasks import facts, sync
from tasks.beeminder import Access
from tests.tasks.meeting import (
    FACTS,
    GOAL,
    PERSON,
    QUIET,
    READ,
    SOON,
    SOURCE,
    Meeting,
    after,
    asked,
    facts_threads,
    quiet,
    work,
)
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows
from tests.world import NOON, CrashError, World

TOMORROW = "20261121"
LATE = NOON + 12 * 3600 - 360.0  # six minutes to midnight


def test_the_source_is_asked_before_anything_is_known_of_the_person(
    world: World, landed: None
) -> None:
    """Facts are answered after the source was: whoever reads them first waits for ever."""
    event_id = after(world)

    work(world, Meeting(first=SOURCE, then=FACTS))

    assert world.event(event_id).state == "done"
    assert world.values() == {TODAY: 3.5, YESTERDAY: 7.0}
    assert asked(world) == ["goal", "person"]
    assert world.bemserver.faults.count(SOURCE) == READ


def test_a_person_is_not_asked_about_again_with_each_push(world: World, landed: None) -> None:
    """What moved is the goal, and who they are was asked a moment ago."""
    event_id = after(world, SOON)
    began = world.clock.at

    work(world, Meeting(first=SOURCE, then=GOAL))

    assert world.event(event_id).state == "done"
    assert asked(world) == ["goal"]
    assert [row.facts_at for row in all_rows(world, Goal)] == [began]
    after(world, 5.0)
    world.work()
    assert asked(world) == []


@pytest.mark.parametrize(("first", "then"), [(GOAL, PERSON), (PERSON, GOAL)])
def test_person_and_goal_are_asked_at_the_same_time_after_a_push(
    world: World, landed: None, first: str, then: str
) -> None:
    """Whichever of the two is answered first, each is asked once, and both are good as of then."""
    event_id = after(world)
    began = world.clock.at

    work(world, Meeting(first=first, then=then))

    assert world.event(event_id).state == "done"
    assert asked(world) == ["goal", "person"]
    assert [row.facts_at for row in (*all_rows(world, User), *all_rows(world, Goal))] == [began] * 2


def test_both_count_as_read_when_the_first_was_asked_for(world: World, landed: None) -> None:
    """However long the answers take: a goal that is older than its person would be read again."""
    asked_at = world.clock.at
    world.clock.advance(30)
    rt, (alice,), (goal,) = world.runtime(), all_rows(world, User), all_rows(world, Goal)
    access = Access(rt, world.user_id)
    ahead = facts.Ahead(lambda: facts.find(access, goal), asked_at + 20)

    facts.refresh(rt, access, alice, [goal], seconds=10, ahead=ahead)

    assert [row.facts_at for row in (alice, goal)] == [asked_at + 20] * 2
    assert [row.facts_at for row in (*all_rows(world, User), *all_rows(world, Goal))] == [
        asked_at + 20
    ] * 2


def test_facts_are_known_before_anything_is_written(world: World, landed: None) -> None:
    """Not even into the ledger: a push that leaves before is one too early."""
    before = len(world.beeminder.state.history)
    steps: list[tuple[str, float | None]] = []

    def trace(step: str) -> None:
        steps.append((step, all_rows(world, User)[0].facts_at))

    after(world)
    work(world, Meeting(first=SOURCE, then=FACTS), trace=trace)

    assert len(world.beeminder.state.history) == before + 1
    assert dict(steps)["recorded"] == world.clock.at
    assert [step for step, _ in steps].count("fetched") == 1


def test_no_request_more_than_before(world: World, landed: None) -> None:
    """After a push person and goal, after none the person alone; the source always once."""
    found = []
    for value in (1.0, 1.0, 0.0, 0.0, 1.0, 0.0):
        after(world, QUIET, value)
        work(world, Meeting())
        found.append((asked(world), world.bemserver.faults.count(SOURCE)))

    both, one = (["goal", "person"], READ), (["person"], READ)
    assert found == [both, both, both, one, one, both]


def test_a_goal_that_another_sync_has_made_old_is_read_alone(world: World, landed: None) -> None:
    """Its person was read seconds ago, and has changed since the goal was: one request, beside."""
    world.link("output", series=world.other_series)
    world.work()
    after(world)
    work(world, Meeting())
    world.clock.advance(1)
    world.beeminder.faults.log.clear()
    event_id = world.call_back("output")

    work(world, Meeting(first=SOURCE, then=FACTS))

    assert asked(world) == ["goal"]
    assert world.event(event_id).state == "done"


def deadline(world: World) -> None:
    """Her day ends ten minutes before midnight from now on."""
    world.beeminder.state.change_goal("alice", "energy", deadline=-600)


def timezone(world: World) -> None:
    """She is in Paris, where it is past midnight."""
    world.beeminder.state.change_user("alice", timezone="Europe/Paris")


@pytest.mark.parametrize("order", ["source first", "facts first"])
@pytest.mark.parametrize("pushed", [True, False])
@pytest.mark.parametrize("move", [deadline, timezone])
def test_what_was_moved_meanwhile_decides(
    world: World, move: Callable[[World], None], *, pushed: bool, order: str
) -> None:
    """The new value is of the next day by now, and nothing was ever written by the old facts."""
    world.clock.at = LATE
    world.work()
    if not pushed:
        quiet(world)
    before = len(world.beeminder.state.history)
    event_id = after(world)
    if order == "facts first":
        move(world)
        work(world, Meeting(first=FACTS, then=SOURCE))
    else:
        work(world, Meeting(first=SOURCE, then=FACTS, between=lambda: move(world)))

    assert world.values() == {YESTERDAY: 7.0, TODAY: 2.5, TOMORROW: 1.0}
    assert [write.value for write in world.beeminder.state.history[before:]] == [1.0]
    assert world.event(event_id).state == "done"
    assert asked(world) == ["goal", "person"]  # none of it was asked for twice


def test_a_goal_that_counts_otherwise_by_now_gets_nothing(world: World, landed: None) -> None:
    """What would not count as itself any more is not sent, and the feed says why."""
    before = len(world.beeminder.state.history)
    event_id = after(world)

    work(
        world,
        Meeting(
            first=SOURCE,
            then=FACTS,
            between=lambda: world.beeminder.state.change_goal("alice", "energy", aggday="count"),
        ),
    )

    assert len(world.beeminder.state.history) == before
    assert (world.event(event_id).error or {})["code"] == "unfit_goal"


def test_a_change_after_the_goal_was_read_is_seen_by_the_next_look(
    world: World,
) -> None:
    """Between the two answers, and Beeminder's clock is a minute behind: the page was too early."""
    world.beeminder.state.clock = lambda: world.clock.at - 60.0
    world.work()
    after(world, value=0.0)
    moved = Meeting(
        first=GOAL,
        then=PERSON,
        between=lambda: world.beeminder.state.change_goal("alice", "energy", deadline=3600),
    )
    work(world, moved)
    assert all_rows(world, Goal)[0].deadline == 0
    after(world, 2.0)

    work(world, Meeting())

    assert asked(world) == ["goal"]
    assert all_rows(world, Goal)[0].deadline == 3600


def stop(_world: World) -> None:
    """The process is killed while the source is asked."""
    raise CrashError


@pytest.mark.parametrize("how", ["well", "killed", "refused"])
def test_no_thread_outlives_its_work(world: World, landed: None, how: str) -> None:
    """However it ends, whoever reads facts has come back by then."""
    after(world)
    between = (lambda: stop(world)) if how == "killed" else (lambda: None)
    if how == "refused":
        world.bemserver.faults.add(Fault(path=SOURCE, status=500))
    meeting = Meeting(first=SOURCE, then=FACTS, between=between)
    try:
        work(world, meeting)
    except CrashError:
        assert how == "killed"

    assert facts_threads() == []
    assert meeting.place(f"<.*{PERSON}") < len(meeting.heard)


def test_work_that_is_stopped_meanwhile_is_handed_back(world: World, landed: None) -> None:
    """A process that goes down waits for its readers, and writes nothing."""
    before = len(world.beeminder.state.history)
    after(world)
    rt = world.runtime()
    world.http.event_hooks["response"] = [
        lambda answer: rt.stopping.set() if SOURCE in answer.request.url.path else None
    ]

    assert sync.run(rt, Lane.URGENT)

    assert facts_threads() == []
    assert len(world.beeminder.state.history) == before
    assert rt.leases.renewable(world.clock.at) == []
