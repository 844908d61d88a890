"""What ties a goal and Waggle together: how it counts, what it is sent, and who is its data source.

The command line and the pages do it by these functions; they differ in whom they ask, and where.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlmodel import col, select

import clients
from clients.errors import Permanent
from db import datasources, feeds, outbox, pauses, people
from db.models import Feed, Goal, Source
from db.models_points import Day
from db.names_of_feeds import Named
from db.states import FeedState
from tasks import connecting, datasource, datasource_change, fit
from tasks.beeminder import Access
from tasks.fit import Fit
from tasks.providers import ValueKind
from tasks.runtime import Runtime

CALL_SECONDS = 15.0
UNLINKED = "unlinked"


class AnotherGoalError(Permanent):
    """The goal that is called so now is not the one that was linked."""

    default_reason = "another_goal"


@dataclass(frozen=True, slots=True)
class Link:
    """A goal as it is at Beeminder, and how the values of its feeds would be sent to it."""

    name: str
    goal: clients.GoalWithRoad
    feeds: Sequence[Named]
    kinds: Sequence[ValueKind]
    fits: Sequence[Fit]
    units: Sequence[str | None]

    @property
    def goal_id(self) -> int:
        """The goal in the ledger."""
        return self.feeds[0].goal.id or 0

    @property
    def fits_one(self) -> bool:
        """Is anything sent to it as it counts now?"""
        return any(found.problem is None for found in self.fits)


@dataclass(slots=True)
class Done:
    """What was done, in sentences, and what was not."""

    said: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def linkable(found: Sequence[Named]) -> list[Named]:
    """The feeds that are active, or were unlinked by a person, who wants them back."""
    return [
        named
        for named in found
        if named.feed.state != FeedState.STOPPED or named.feed.reason == UNLINKED
    ]


def look(rt: Runtime, access: Access, found: Sequence[Named]) -> Link:
    """Read the goal at Beeminder. Raises `clients.errors` and `DeferredError`."""
    slug = found[0].goal.slug
    goal = access.call(lambda client: client.goal_with_road(slug), deadline=CALL_SECONDS)
    if found[0].goal.beeminder_id not in (None, goal.id):
        message = (
            f"{slug} is another goal now: it was renamed at Beeminder, and the next sync finds it"
        )
        raise AnotherGoalError(message)
    name = f"{found[0].user.username}/{slug}"
    kinds, fits, units = [], [], []
    for named in found:
        with rt.ledger.read() as session:
            source = session.get_one(Source, named.feed.source_id)
            unit = session.exec(
                select(Day.unit)
                .where(col(Day.feed_id) == named.feed.id, col(Day.unit).is_not(None))
                .order_by(col(Day.daystamp).desc())
            ).first()
        _, params = connecting.metric_of(connecting.provider_of(rt, source), named.feed)
        kinds.append(params.value_kind())
        units.append(unit)
        fits.append(
            fit.fit(
                kind=kinds[-1],
                kyoom=goal.kyoom,
                aggday=goal.aggday,
                odom=goal.odom,
                feeds=len(found),
                accept=named.feed.options.get("accept_aggday", False),
                unit=unit,
                gunits=goal.gunits,
                name=name,
            )
        )
    return Link(name, goal, found, kinds, fits, units)


def takes(rt: Runtime, looked: Link) -> bool:
    """Is Waggle to become the goal's data source, which it is not yet?"""
    app = rt.options.app_name
    return bool(app) and not _keeps(looked) and not datasource.same(looked.goal.autodata, app)


def replaces(rt: Runtime, looked: Link) -> str | None:
    """What would not feed the goal any more if Waggle did; None for nothing."""
    autodata = looked.goal.autodata
    return autodata if takes(rt, looked) and not datasource.is_free(autodata) else None


def settle(rt: Runtime, looked: Link, *, counts_anew: bool = False, may_take: bool = True) -> Done:
    """Bring the feeds back that were unlinked, and become the data source where that is wanted.

    `counts_anew`: how the goal counts has just been changed. `may_take`: the person agrees.
    """
    done, app = Done(), rt.options.app_name
    _wake(rt, looked, counts_anew=counts_anew)
    if not app:
        done.said.append(
            "no app is registered (WAGGLE_BEEMINDER_APP_NAME): Beeminder does not ask Waggle, "
            "which goes by its own schedule"
        )
    elif _keeps(looked):
        done.said.append('the data source is left as it is (datasource = "keep")')
    elif not takes(rt, looked):
        pass
    elif not (looked.fits_one or counts_anew):
        # Beeminder would hide manual entry, and ask one who has nothing to say.
        done.failed.append("nothing is sent to this goal, so its data source is left as it is")
    elif may_take:
        row = datasource_change.make(rt, looked.goal_id, app)
        if row.datasource_error or row.datasource_want:
            done.failed.append(row.datasource_error or "the data source is not set yet")
        else:
            done.said.append(f"the goal's data source is {datasource.shown(row.autodata)}")
    else:
        done.said.append("the data source is left as it is")
    return done


def unlink(rt: Runtime, found: Sequence[Named]) -> Goal | None:
    """Stop feeding a goal, and give its data source back where no feed is left.

    Returns the goal's row after that, None where there was nothing to give back. What Beeminder
    could not be told yet a worker goes on with.
    """
    goal_id, now = found[0].goal.id or 0, rt.clock.now()
    ids = [named.feed.id or 0 for named in found]
    with rt.ledger.write() as session:
        pauses.halt(session, ids, state=FeedState.STOPPED, reason=UNLINKED, now=now)
        outbox.withdraw(session, ids)
        given = datasources.give_back(session, [goal_id], now)
    if not given:
        return None
    with rt.ledger.read() as session:
        want = session.get_one(Goal, goal_id).datasource_want
    return datasource_change.make(rt, goal_id, want or "", asked=False)


def manual(rt: Runtime, goal: Goal) -> Goal:
    """Give the data source back to the owner's hands and go on by schedule; the goal's new row."""
    if goal.datasource_before is None:  # so that syncs know that it is a person's choice
        ours = datasource.same(goal.autodata, rt.options.app_name)
        with rt.ledger.write() as session:
            datasources.remember(session, goal.id or 0, "" if ours else goal.autodata or "")
    return datasource_change.make(rt, goal.id or 0, "")


def _keeps(looked: Link) -> bool:
    return any(named.feed.options.get("datasource") == datasources.KEEP for named in looked.feeds)


def _wake(rt: Runtime, looked: Link, *, counts_anew: bool) -> None:
    """Bring back what a person had unlinked, and let the next sync read the goal anew."""
    states: Collection[FeedState] = {FeedState.STOPPED}
    if counts_anew:
        states = {FeedState.STOPPED, FeedState.ACTIVE, FeedState.FAILING}
    again = [named.feed.id or 0 for named in looked.feeds if named.feed.state in states]
    with rt.ledger.write() as session:
        feeds.lock(session, col(Feed.id).in_(again))  # before their goal, as syncs do it
        datasources.take_up(session, looked.goal_id)
        pauses.wake(session, again, rt.clock.now())
        people.store_goal_facts(session, looked.goal_id, {"facts_at": None})
