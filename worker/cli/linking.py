"""`waggle link`: how a goal counts, what it is sent, and Waggle as its data source."""

from typing import Any

import click
from sqlmodel import col

from db import datasources, feeds, pauses, people
from db.models import Feed, Goal
from db.states import FeedState
from tasks import datasource, datasource_change
from tasks.beeminder import Access
from tasks.runtime import Runtime
from worker.cli import failures, links, mending, output, questions
from worker.cli.links import Link
from worker.cli.mending import Mending


@click.command()
@click.argument("name", metavar="USER/GOAL")
@click.option("--fix-goal", is_flag=True, help="Change how the goal counts, so that values fit.")
@click.option("--yes", is_flag=True, help="Answer every question with yes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document; asks nothing.")
def link(*, name: str, fix_goal: bool, yes: bool, as_json: bool) -> None:
    """Show how a goal counts and what it is sent, and make Waggle its data source.

    Beeminder asks Waggle for data only where Waggle is the goal's data source, and a goal has one:
    what would be replaced is asked about first. --fix-goal shows what another way of counting does
    to past days, and refuses it if yesterday would turn red; it needs a paid plan at Beeminder.

    \b
    Examples:
      waggle link alice/energy
      waggle link alice/energy --fix-goal
    """  # noqa: D301 -- \b is click's mark
    with links.working(name) as (house, rt, found):
        access = Access(rt, found[0].goal.user_id)
        looked = links.look(rt, access, links.linkable(links.whole_goal(house, found)))
        mended = None
        if fix_goal and mending.needed(looked.fits, looked.kinds):
            timezone = access.call(lambda client: client.me(), deadline=links.CALL_SECONDS).timezone
            mended = mending.look(
                access, looked.goal, looked.kinds, looked.fits, now=house.now(), timezone=timezone
            )
        if not as_json:
            links.show(rt, looked)
            if mended is not None:
                mending.show(mended)
            elif fix_goal:
                click.echo("nothing to fix: every value is sent as it is")
        if mended is not None and mended.outlook.refused:
            raise failures.Failed(
                f"{looked.name}: the goal is left as it is: {mended.outlook.refused}"
            )
        done = _act(rt, access, looked, mended, yes=yes, can_ask=not as_json)
    if as_json:
        output.document(_document(rt, looked, mended, done))
    else:
        for line in done["said"]:
            click.echo(line)
    if done["failed"]:
        raise failures.Failed(f"{looked.name}: {'; '.join(done['failed'])}")


def _act(
    rt: Runtime,
    access: Access,
    looked: Link,
    mended: Mending | None,
    *,
    yes: bool,
    can_ask: bool,
) -> dict[str, list[str]]:
    """Ask everything, then do it; what is to be said, and what failed."""
    goal, app = looked.goal, rt.options.app_name
    keeps = any(named.feed.options.get("datasource") == datasources.KEEP for named in looked.feeds)
    fits = any(found.problem is None for found in looked.fits)
    take = bool(app) and not keeps and not datasource.same(goal.autodata, app)
    asked: dict[str, str] = {}
    if mended is not None:
        asked["mend"] = "Change how the goal counts at Beeminder?"
    if take and (fits or mended) and not datasource.is_free(goal.autodata):
        there = datasource.shown(goal.autodata)
        asked["take"] = (
            f"Replace {there} by Waggle as the data source? `waggle unlink` gives it back where "
            "Beeminder allows that; else it has to be connected again there."
        )
    answers = dict(
        zip(asked, questions.agreed(list(asked.values()), yes=yes, can_ask=can_ask), strict=True)
    )
    said: list[str] = []
    failed: list[str] = []
    counts_anew = False
    if mended is not None and answers["mend"]:
        refused = mending.change(access, goal.slug, mended)
        counts_anew = refused is None
        (said if counts_anew else failed).append(refused or "the goal counts anew")
    _wake(rt, looked, counts_anew=counts_anew)
    if not app:
        said.append(
            "no app is registered (WAGGLE_BEEMINDER_APP_NAME): Beeminder does not ask Waggle, "
            "which goes by its own schedule"
        )
    elif keeps:
        said.append('the data source is left as it is (datasource = "keep")')
    elif take and not (fits or counts_anew):
        # Beeminder would hide manual entry, and ask one who has nothing to say.
        failed.append("nothing is sent to this goal, so its data source is left as it is")
    elif take and answers.get("take", True):
        row = datasource_change.make(rt, looked.feeds[0].goal.id or 0, app)
        if row.datasource_error or row.datasource_want:
            failed.append(row.datasource_error or "the data source is not set yet")
        else:
            said.append(f"the goal's data source is {datasource.shown(row.autodata)}")
    elif take:
        said.append("the data source is left as it is")
    return {"said": said, "failed": failed}


def _wake(rt: Runtime, looked: Link, *, counts_anew: bool) -> None:
    """Bring back what a person had unlinked, and let the next sync read the goal anew."""
    now = rt.clock.now()
    states = {FeedState.STOPPED}
    if counts_anew:
        states |= {FeedState.ACTIVE, FeedState.FAILING}
    again = [named.feed.id or 0 for named in looked.feeds if named.feed.state in states]
    goal_id = looked.feeds[0].goal.id or 0
    with rt.ledger.write() as session:
        feeds.lock(session, col(Feed.id).in_(again))  # before their goal, as syncs do it
        datasources.take_up(session, goal_id)
        pauses.wake(session, again, now)
        people.store_goal_facts(session, goal_id, {"facts_at": None})


def _document(
    rt: Runtime, looked: Link, mended: Mending | None, done: dict[str, list[str]]
) -> dict[str, Any]:
    with rt.ledger.read() as session:
        row = session.get_one(Goal, looked.feeds[0].goal.id or 0)
    goal = looked.goal
    return {
        "goal": looked.name,
        "kyoom": goal.kyoom,
        "aggday": goal.aggday,
        "odom": goal.odom,
        "gunits": goal.gunits,
        "feeds": links.feeds_as_json(looked),
        "datasource": {"before": goal.autodata, "now": row.autodata},
        "fix": None if mended is None else mended.as_json(),
        "failed": done["failed"],
    }
