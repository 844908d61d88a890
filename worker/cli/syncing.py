"""`waggle sync`: a person asks, as an event in the ledger like every callback."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
from rich.console import Console

from db import asking, inbox, names, workers
from db.inbox import NewEvent, Outcome
from db.names_of_feeds import Named
from db.states import EventState, Lane
from worker.cli import backfilling, failures, output, previewing, ringing, working
from worker.cli.house import House, feeds_of, opened

POLL_SECONDS = 0.1
SYNC_SECONDS = 300.0


@click.command()
@click.argument("name", metavar="USER/GOAL")
@click.option("--from", "first", metavar="DATE", help="Read these days again, from DATE on.")
@click.option("--to", "last", metavar="DATE", help="The last of them (default: today).")
@click.option("--wait", is_flag=True, help="Wait until it is done; works without a worker too.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long --wait waits (default: 300, with --from: no limit). The work goes on after it.",
)
@click.option("--preview", is_flag=True, help="Print what would be sent, and why; send nothing.")
@click.option("--cancel-backfill", is_flag=True, help="Stop reading days again that --from began.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def sync(
    *,
    name: str,
    first: str | None,
    last: str | None,
    wait: bool,
    timeout: float | None,
    preview: bool,
    cancel_backfill: bool,
    as_json: bool,
) -> None:
    """Sync a goal now, all its feeds; or read past days again, a month at a time.

    DATE is 2026-11-20 or 20261120, a Beeminder day of the goal. Days before the feed's `since` are
    never touched, and corrections of finished days are held as in any sync.

    \b
    Examples:
      waggle sync alice/energy --wait
      waggle sync alice/energy --preview
      waggle sync alice/energy --from 2026-01-01 --wait
      waggle sync alice/energy --from 2026-01-01 --to 2026-01-31 --preview
    """  # noqa: D301 -- \b is click's mark
    if last is not None and first is None:
        raise failures.Refused("--to needs --from: name the first day as well")
    if cancel_backfill and (first or wait or preview):
        raise failures.Refused("--cancel-backfill stands alone")
    with opened() as house:
        with house.ledger.read() as session:
            found = feeds_of(session, name)
            alive = workers.alive(session, house.now())
        if cancel_backfill:
            backfilling.cancel(house, found, as_json=as_json)
            return
        asked = None if first is None else backfilling.span(house, found, first, last)
        if preview:
            previewing.show(house, found, asked, as_json=as_json)
            return
        if asked is not None:
            backfilling.run(
                house,
                found,
                asked,
                name=name,
                alive=alive,
                wait=wait,
                timeout=timeout,
                as_json=as_json,
            )
            return
        event = _ask(house, found)
        if not wait:
            _rung(house, event, found[0], alive=alive, as_json=as_json)
            return
        try:
            outcome = _wait(
                house, event, alive=alive, timeout=SYNC_SECONDS if timeout is None else timeout
            )
        except KeyboardInterrupt:
            raise _interrupted(event, found[0], alive=alive) from None
    _end(event, found[0], outcome, as_json=as_json)


def _ask(house: House, found: Sequence[Named]) -> NewEvent:
    user, goal, now = found[0].user, found[0].goal, house.now()
    try:
        with house.ledger.write() as session:
            return asking.sync(session, user, goal, [named.feed for named in found], now)
    except asking.AsleepError as exc:
        name = next(named.name for named in found if named.feed is exc.feed)
        raise failures.Failed(f"{name} is {exc}; `waggle resume {name}` first") from exc


def _rung(house: House, event: NewEvent, named: Named, *, alive: int, as_json: bool) -> None:
    with ringing.ringer(house.settings) as ring:
        ring("sync", "urgent")
    if as_json:
        output.document(_document(event, named, Outcome(EventState.RECEIVED, 0, None)))
    elif alive:
        click.echo(f"asked for, as event {event.id}")
    else:
        click.echo(f"stored as event {event.id}")
    if not alive:
        click.echo(
            "waggle: no worker is running, so nothing is synced yet: start one with `waggle up`, "
            "or use --wait",
            err=True,
        )


def _wait(house: House, event: NewEvent, *, alive: int, timeout: float) -> Outcome:
    """Until the event has ended, or as it stands when the time is over."""
    ends_at = time.monotonic() + timeout
    with contextlib.ExitStack() as stack:
        if alive:
            stack.enter_context(ringing.ringer(house.settings))("sync", "urgent")
            work: Callable[[], bool] = lambda: False  # noqa: E731 -- one of two ways to wait
        else:
            work = stack.enter_context(_working_here(house))
        say = stack.enter_context(_spinner())
        while True:
            did_something = work()
            with house.ledger.read() as session:
                outcome = inbox.outcomes(session, [event.id], house.now())[event.id]
            if outcome.state in inbox.ENDED or time.monotonic() >= ends_at:
                return outcome
            say(outcome.why())
            if not did_something:
                time.sleep(POLL_SECONDS)


def _interrupted(event: NewEvent, named: Named, *, alive: int) -> failures.Failed:
    stays = f"not done yet, it stays as event {event.id}: {working.who_goes_on(alive)}"
    return failures.Failed(f"{_goal(named)}: {stays}")


@contextlib.contextmanager
def _working_here(house: House) -> Iterator[Callable[[], bool]]:
    """No worker runs: do the urgent work in this process, one piece per call."""
    from tasks import sync as job  # noqa: PLC0415 -- slow to import, only needed here

    with working.here(house) as rt:

        def turn() -> bool:
            rt.step("command.turn")
            return job.run(rt, Lane.URGENT) or job.run(rt, Lane.URGENT, alone=True)

        yield turn


@contextlib.contextmanager
def _spinner() -> Iterator[Callable[[str | None], None]]:
    """Show on a terminal that something is going on, and what is in its way."""
    if not sys.stderr.isatty():
        yield lambda _why: None
        return
    with Console(stderr=True, markup=False).status("syncing") as shown:

        def say(why: str | None) -> None:
            shown.update(f"syncing: {output.plain(why)}" if why else "syncing")

        yield say


def _end(event: NewEvent, named: Named, outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        output.document(_document(event, named, outcome))
    if outcome.state == EventState.DONE:
        if not as_json:
            points = (
                "1 datapoint" if outcome.datapoints == 1 else f"{outcome.datapoints} datapoints"
            )
            click.echo(f"{_goal(named)} is fresh: {points} written")
        return
    why = output.plain(outcome.why() or "no reason is known yet")
    if outcome.state in inbox.ENDED:
        raise failures.Failed(f"{_goal(named)}: {why}")
    raise failures.Failed(
        f"{_goal(named)}: not done yet, it goes on as event {event.id}; so far: {why}"
    )


def _document(event: NewEvent, named: Named, outcome: Outcome) -> dict[str, Any]:
    return {
        "event": event.id,
        "feed": _goal(named),
        "state": outcome.state.value,
        "datapoints": outcome.datapoints,
        "error": outcome.error,
    }


def _goal(named: Named) -> str:
    return names.feed_name(named.user.username, named.goal.slug, "")
