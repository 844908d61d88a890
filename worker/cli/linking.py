"""`waggle link`: how a goal counts, what it is sent, and Waggle as its data source."""

from typing import Any

import click

from db.models import Goal
from tasks import datasource, linking
from tasks.beeminder import Access
from tasks.linking import Done, Link
from tasks.runtime import Runtime
from worker.cli import failures, links, mending, output, questions
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
        looked = linking.look(rt, access, links.linkable(links.whole_goal(house, found)))
        mended = None
        if fix_goal and mending.needed(looked.fits, looked.kinds):
            timezone = access.call(
                lambda client: client.me(), deadline=linking.CALL_SECONDS
            ).timezone
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
        for line in done.said:
            click.echo(line)
    if done.failed:
        raise failures.Failed(f"{looked.name}: {'; '.join(done.failed)}")


def _act(
    rt: Runtime,
    access: Access,
    looked: Link,
    mended: Mending | None,
    *,
    yes: bool,
    can_ask: bool,
) -> Done:
    """Ask everything, then do it; what is to be said, and what failed."""
    asked: dict[str, str] = {}
    if mended is not None:
        asked["mend"] = "Change how the goal counts at Beeminder?"
    replaced = linking.replaces(rt, looked)
    if replaced is not None and (looked.fits_one or mended):
        there = datasource.shown(replaced)
        asked["take"] = (
            f"Replace {there} by Waggle as the data source? `waggle unlink` gives it back where "
            "Beeminder allows that; else it has to be connected again there."
        )
    answers = dict(
        zip(asked, questions.agreed(list(asked.values()), yes=yes, can_ask=can_ask), strict=True)
    )
    mend = Done()
    counts_anew = False
    if mended is not None and answers["mend"]:
        refused = mending.change(access, looked.goal.slug, mended)
        counts_anew = refused is None
        (mend.said if counts_anew else mend.failed).append(refused or "the goal counts anew")
    done = linking.settle(rt, looked, counts_anew=counts_anew, may_take=answers.get("take", True))
    return Done(mend.said + done.said, mend.failed + done.failed)


def _document(rt: Runtime, looked: Link, mended: Mending | None, done: Done) -> dict[str, Any]:
    with rt.ledger.read() as session:
        row = session.get_one(Goal, looked.goal_id)
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
        "failed": done.failed,
    }
