"""`waggle sync`: a person asks, as an event in the ledger like every callback."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.console import Console

from db import inbox, overview, resting, workers
from db.inbox import NewEvent, Outcome
from db.models import EventKind, EventState
from worker.cli import failures, output, ringing
from worker.cli.house import House, Named, feeds_of, opened

POLL_SECONDS = 0.1
HEARTBEAT_SECONDS = 3.0


@click.command()
@click.argument("name", metavar="USER/GOAL")
@click.option("--wait", is_flag=True, help="Wait until it is done; works without a worker too.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long --wait waits. The work goes on after that.",
)
@click.option("--preview", is_flag=True, help="Print what would be sent, and why; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def sync(*, name: str, wait: bool, timeout: float, preview: bool, as_json: bool) -> None:
    """Sync a goal now, all its feeds.

    \b
    Examples:
      waggle sync alice/energy --wait
      waggle sync alice/energy --preview
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        with house.ledger.read() as session:
            found = feeds_of(session, name)
            alive = workers.alive(session, house.now())
        if preview:
            _preview(house, found, as_json=as_json)
            return
        asleep = [
            named
            for named in found
            if not resting.is_claimable(named.feed.state, named.feed.reason)
        ]
        if len(asleep) == len(found):
            named = asleep[0]
            raise failures.Failed(
                f"{named.name} is {named.feed.state} ({named.feed.reason}); "
                f"`waggle resume {named.name}` first"
            )
        event = _ask(house, found[0])
        if not wait:
            _rung(house, event, found[0], alive=alive, as_json=as_json)
            return
        outcome = _wait(house, event, alive=alive, timeout=timeout)
    _end(event, found[0], outcome, as_json=as_json)


def _ask(house: House, named: Named) -> NewEvent:
    event = NewEvent(
        kind=EventKind.SYNC,
        payload={"username": named.user.username, "slug": named.goal.slug},
        received_at=house.now(),
        user_id=named.user.id,
        goal_id=named.goal.id,
    )
    with house.ledger.write() as session:
        inbox.store(session, [event])
    return event


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
                outcome = inbox.outcomes(session, [event.id])[event.id]
            if outcome.state in inbox.ENDED or time.monotonic() >= ends_at:
                return outcome
            say(outcome)
            if not did_something:
                time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _working_here(house: House) -> Iterator[Callable[[], bool]]:
    """No worker runs: do the urgent work in this process, one piece per call."""
    from db.models import Lane  # noqa: PLC0415 -- with its user
    from tasks import sync as job  # noqa: PLC0415 -- slow to import, only needed here
    from worker import runtime  # noqa: PLC0415 -- as above

    ended = threading.Event()
    with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:

        def renew() -> None:
            while not ended.wait(HEARTBEAT_SECONDS):
                rt.heartbeat()

        beating = threading.Thread(target=renew, name="heartbeat", daemon=True)
        beating.start()
        try:
            yield lambda: job.run(rt, Lane.URGENT)
        finally:
            ended.set()
            beating.join()


@contextlib.contextmanager
def _spinner() -> Iterator[Callable[[Outcome], None]]:
    """Show on a terminal that something is going on, and what went wrong last."""
    if not sys.stderr.isatty():
        yield lambda _outcome: None
        return
    with Console(stderr=True, markup=False).status("syncing") as shown:

        def say(outcome: Outcome) -> None:
            trouble = (outcome.error or {}).get("message")
            shown.update(f"trying again: {output.plain(trouble)}" if trouble else "syncing")

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
    why = output.plain((outcome.error or {}).get("message") or "no reason is known yet")
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
    return overview.feed_name(named.user.username, named.goal.slug, "")


def _preview(house: House, found: list[Named], *, as_json: bool) -> None:
    from clients.errors import ClientError  # noqa: PLC0415 -- only needed here
    from tasks import preview  # noqa: PLC0415 -- slow to import, only needed here
    from tasks.gates import DeferredError  # noqa: PLC0415 -- as above
    from worker import runtime  # noqa: PLC0415 -- as above

    rows = []
    with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:
        for named in found:
            try:
                planned = preview.preview(rt, named.feed.id or 0)
            except (ClientError, DeferredError) as exc:
                raise failures.Failed(f"{named.name}: {output.plain(str(exc))}") from exc
            rows += [_planned(named, plan) for plan in planned]
    if as_json:
        output.document(rows)
        return
    output.table(
        ("feed", "day", "the source says", "would", "value", "comment", "why"),
        [
            (
                row["feed"],
                row["daystamp"],
                row["source_value"],
                row["action"],
                row["value"],
                row["comment"],
                row["why"],
            )
            for row in rows
        ],
        empty="there is no day to look at",
    )
    click.echo("preview: nothing was sent")


def _planned(named: Named, plan: Any) -> dict[str, Any]:  # noqa: ANN401 -- tasks.preview.Planned, imported late
    verdict = plan.verdict
    return {
        "feed": named.name,
        "daystamp": verdict.day.daystamp,
        "source_value": verdict.reading.value,
        "action": plan.action,
        "value": None if verdict.point is None else verdict.point.value,
        "comment": None if verdict.point is None else verdict.point.comment,
        "requestid": None if verdict.point is None else verdict.point.requestid,
        "why": verdict.why,
    }
