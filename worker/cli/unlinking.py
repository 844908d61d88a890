"""Commands that end the tie between a goal and Waggle, or loosen it: unlink, manual."""

import click

from db.models import Goal
from db.states import FeedState
from tasks import datasource, linking
from worker.cli import failures, links, output, questions


@click.command()
@click.argument("name", metavar="USER/GOAL")
@click.option("--yes", is_flag=True, help="Do not ask.")
def unlink(*, name: str, yes: bool) -> None:
    """Stop feeding a goal, and give its data source back. Without a label: all its feeds.

    Datapoints that were sent stay. `waggle link` takes it up again, and so does `waggle apply`
    while the feed stands in the file.

    \b
    Example:
      waggle unlink alice/energy
    """  # noqa: D301 -- \b is click's mark
    with links.working(name) as (_, rt, found):
        awake = [named for named in found if named.feed.state != FeedState.STOPPED]
        if not awake:
            raise failures.Failed(f"{name} is stopped already ({found[0].feed.reason})")
        names = ", ".join(named.name for named in awake)
        if not all(questions.agreed([f"Stop feeding {names}?"], yes=yes)):
            click.echo("nothing was changed")
            return
        given = linking.unlink(rt, awake)
        click.echo(f"{names}: not fed any more; `waggle link` or `waggle apply` brings it back")
        if given is not None:
            _told(given)


@click.command()
@click.argument("name", metavar="USER/GOAL")
def manual(*, name: str) -> None:
    """Give a goal's data source back to its owner's hands, and keep feeding it.

    Beeminder's own apps hide manual entry while a data source is set. Waggle goes on by its own
    schedule, but Beeminder does not ask it any more; `waggle link` undoes that.

    \b
    Example:
      waggle manual alice/energy
    """  # noqa: D301 -- \b is click's mark
    with links.working(name) as (_, rt, found):
        _told(linking.manual(rt, found[0].goal))


def _told(goal: Goal) -> None:
    """What became of a change of the data source."""
    if goal.datasource_want is not None:
        click.echo(
            f"waggle: {output.plain(goal.datasource_error or 'not done yet')}; the worker goes on",
            err=True,
        )
    elif goal.datasource_error is not None:
        raise failures.Failed(output.plain(goal.datasource_error))
    else:
        click.echo(f"the goal's data source is {datasource.shown(goal.autodata)}")
