"""From a claimed feed to judged points: the same steps for a sync, a backfill and a preview."""

import itertools

import pytest

from clients.errors import Unavailable
from db.feeds import Claim
from db.models import Feed
from db.models_points import Datapoint, Day
from db.outbox import Action
from db.states import Lane
from tasks import facts, jobs, reading
from tasks.beeminder import Access
from tasks.jobs import Batch, UnfitGoalError
from tasks.reading import Outcome, Question
from tasks.runtime import Runtime
from tests.tasks.measured import look, ours, say, with_options
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed
from tests.world import DAY, World

EARLIER = "20261118"


class Desk:
    """A worker with one feed in front of it."""

    def __init__(self, world: World, rt: Runtime | None = None) -> None:
        self.rt = rt or world.runtime()
        with world.ledger.read() as session:
            feed = session.get_one(Feed, world.feed_id)
            claim = Claim(
                world.feed_id, feed.source_id, feed.epoch, feed.asked, "desk", Lane.URGENT
            )
            self.batch: Batch = jobs.load(session, [claim])
        self.job = self.batch.jobs[0]
        self.access = Access(self.rt, world.user_id)
        facts.refresh(self.rt, self.access, self.batch.user, [self.job.goal])

    def prepare(self, first: str | None = None, last: str | None = None) -> Question:
        """The question about these days, by default those that a sync reads."""
        windows = None
        if first is not None and last is not None:
            windows = reading.days_between(self.rt, self.batch, self.job, first, last)
        return reading.prepare(self.rt, self.batch, self.job, self.access, windows=windows)

    def settle(self, question: Question) -> Outcome:
        """What the source's answer comes to."""
        answers = reading.ask(self.rt, self.batch, [question])
        return reading.settle(self.rt, question, answers[self.job.held.feed_id])


def decided(outcome: Outcome) -> dict[str, tuple[float, str]]:
    """Value and action by day."""
    return {one.point.daystamp: (one.point.value, one.action.value) for one in outcome.judged}


def test_reading_changes_nothing(world: World) -> None:
    """Prepared, asked and settled: no row and no point, until somebody records and pushes."""
    desk = Desk(world)
    outcome = desk.settle(desk.prepare())
    assert decided(outcome) == {YESTERDAY: (7.0, "send"), TODAY: (2.5, "send")}
    assert (all_rows(world, Datapoint), all_rows(world, Day), ours(world)) == ([], [], 0)
    assert world.feed().digest is None


def test_a_sync_reads_the_look_back_and_never_before_since(world: World) -> None:
    """Today and the days before it, oldest first."""
    question = Desk(world).prepare()
    assert [day.daystamp for day in question.windows] == [EARLIER, YESTERDAY, TODAY]
    change_feed(world, since=YESTERDAY)
    question = Desk(world, with_options(world, lookback_days=9)).prepare()
    assert [day.daystamp for day in question.windows] == [YESTERDAY, TODAY]


def test_days_that_are_asked_for_keep_the_bounds_they_had(world: World) -> None:
    """A person who moved since: a day that was read keeps its hours, the next one joins on."""
    world.work()
    world.clock.advance(2 * DAY)
    world.beeminder.state.change_user("alice", timezone="Asia/Tokyo")
    desk = Desk(world)
    known = {day.daystamp: day for day in all_rows(world, Day)}
    days = reading.days_between(desk.rt, desk.batch, desk.job, EARLIER, "20261121")
    assert [day.daystamp for day in days] == [EARLIER, YESTERDAY, TODAY, "20261121"]
    for day in days[:2]:
        row = known[day.daystamp]
        assert (day.starts_at, day.ends_at) == (row.starts_at, row.ends_at)
    assert all(a.ends_at == b.starts_at for a, b in itertools.pairwise(days))


def test_a_day_that_has_not_begun_can_not_be_asked_for(world: World) -> None:
    """There is nothing to read of tomorrow."""
    desk = Desk(world)
    with pytest.raises(ValueError, match="has not begun"):
        reading.days_between(desk.rt, desk.batch, desk.job, TODAY, "20261121")


def test_a_difference_asks_for_one_day_more_than_it_writes(world: World) -> None:
    """The reading before the first day is what it starts from; it makes no verdict."""
    params = {"timeseries": world.series, "data_state": "Clean", "aggregation": "last"}
    change_feed(world, params=params)
    say(world, {"20261117": 40.0, EARLIER: 41.0, YESTERDAY: 43.0, TODAY: 44.0})
    desk = Desk(world)

    question = desk.prepare()
    outcome = desk.settle(question)

    assert question.request.days[0].daystamp == "20261117"
    assert [verdict.day.daystamp for verdict in outcome.verdicts] == [EARLIER, YESTERDAY, TODAY]
    assert [value for value, _ in decided(outcome).values()] == [1.0, 2.0, 1.0]
    world.work()
    assert Desk(world).prepare().base is not None  # the first day's base is asked for again
    world.clock.advance(DAY)
    assert Desk(world).prepare().base is None


def test_an_unfit_goal_is_refused_before_the_source_is_asked(world: World) -> None:
    """No request is spent on a value that must not be sent."""
    world.beeminder.state.change_goal("alice", "energy", aggday="count")
    desk = Desk(world)
    with pytest.raises(UnfitGoalError, match="accept_aggday"):
        desk.prepare()
    assert world.bemserver.faults.count() == 0


def test_an_answer_that_is_an_error_is_raised(world: World) -> None:
    """What failed for this feed alone is this feed's failure."""
    desk = Desk(world)
    question = desk.prepare()
    with pytest.raises(Unavailable, match="shut"):
        reading.settle(desk.rt, question, Unavailable("the shop is shut"))


def test_no_days_ask_for_nothing(world: World) -> None:
    """A feed whose `since` lies ahead: no request, no verdict."""
    change_feed(world, since="20261201")
    desk = Desk(world)
    question = desk.prepare()
    assert reading.ask(desk.rt, desk.batch, [question]) == {}
    outcome = reading.settle(desk.rt, question, {})
    assert (outcome.verdicts, outcome.judged) == ([], [])
    assert world.bemserver.faults.count() == 0


def test_a_day_that_ended_while_the_source_answered_was_not_read_to_its_end(
    world: World,
) -> None:
    """Asked before midnight, written after it: the day is read again, and nothing is missing."""
    midnight = world.clock.at + DAY / 2
    world.clock.at = midnight - 5
    world.measure(world.series, {midnight - 2: 1.0})

    def trace(step: str) -> None:
        if step == "fetched":
            world.clock.at = max(world.clock.at, midnight + 3)

    world.call_back()
    world.work(world.runtime(trace=trace))
    assert world.values()[TODAY] == 2.5
    (today,) = [day for day in all_rows(world, Day) if day.daystamp == TODAY]
    assert today.seen_at == midnight - 5

    look(world, rt=with_options(world, lookback_days=0))
    assert world.values()[TODAY] == 3.5


def test_where_today_goes_on_is_the_same_for_whoever_asks(world: World) -> None:
    """A running total under a hold: a preview tells what the sync will do."""
    world.beeminder.state.change_goal("alice", "energy", kyoom=False, aggday="last")
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work()
    say(world, {YESTERDAY: 3.0, TODAY: 2.0})
    desk = Desk(world)
    outcome = desk.settle(desk.prepare())
    assert decided(outcome) == {
        YESTERDAY: (3.0, Action.HOLD.value),
        TODAY: (7.0, Action.SEND.value),
    }
    look(world)
    assert world.values() == {YESTERDAY: 5.0, TODAY: 7.0}
