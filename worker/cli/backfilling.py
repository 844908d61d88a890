"""`waggle sync --from DATE`: past days are read again, and shown while that goes on."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
from sqlmodel import Session, col

from db import backfills, feeds, names, resting
from db.backfills import OtherBackfillError
from db.models import Backfill, Feed, Source
from db.names_of_feeds import Named
from db.states import BackfillState
from tasks import days
from worker.cli import backfill_progress, backfill_waiting, daystamps, failures, output, working
from worker.cli.backfill_progress import Tracked
from worker.cli.house import House
from worker.cli.previewing import Span


def span(house: House, found: list[Named], first: str, last: str | None) -> Span:
    """The days that were typed (`last` None: today), as all of these feeds may have them.

    Raises `Refused`.
    """
    from tasks import backfill_asked  # noqa: PLC0415 -- slow to import, only needed here

    user, goal, now = found[0].user, found[0].goal, house.now()
    begin, end, today = (
        daystamps.chosen(text, user=user, goal=goal, now=now).daystamp
        for text in (first, last or "today", "today")
    )
    wrong = backfill_asked.wrong_span(begin, end, today, called=("--from", "--to"))
    if wrong is not None:
        raise failures.Refused(wrong)
    with house.ledger.read() as session:
        for named in found:
            _check(session, named, begin)
    return begin, end


def _check(session: Session, named: Named, first: str) -> None:
    from tasks import backfill_asked, providers  # noqa: PLC0415 -- slow to import, only needed here

    provider = session.get_one(Source, named.feed.source_id).provider
    table = providers.table()
    if backfill_asked.metric_of(table, provider, named.feed) is None:
        raise failures.Failed(f"{named.name}: metric {named.feed.metric!r} is not installed")
    why_not = backfill_asked.objection(table, provider, named.feed, first)
    if why_not is not None:
        raise failures.Refused(f"{named.name}: {why_not}")


def run(
    house: House,
    found: list[Named],
    days_asked: Span,
    *,
    name: str,
    alive: int,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Ask for these days of `name`; with `wait` see to it.

    `timeout` in seconds, None: no limit. Raises `Refused` and `Failed`.
    """
    tracked = _ask(house, found, days_asked)
    if wait:
        try:
            tracked = backfill_waiting.until_done(house, tracked, alive=alive, timeout=timeout)
        except KeyboardInterrupt:
            raise _interrupted(name, alive=alive) from None
    else:
        backfill_waiting.ring(house)
    if as_json:
        output.document([_document(one) for one in tracked])
    if wait:
        _end(tracked, quiet=as_json)
        return
    if not as_json:
        for one in tracked:
            click.echo(f"{one.name}: {_wanted(one.row)} asked for; `waggle status` shows how far")
    if not alive:
        click.echo(
            "waggle: no worker is running, so nothing is read yet: start one with `waggle up`, "
            "or use --wait",
            err=True,
        )


def cancel(house: House, found: list[Named], *, as_json: bool) -> None:
    """End what is open of these feeds. What was sent stays."""
    ids = [named.feed.id or 0 for named in found]
    with house.ledger.write() as session:
        ended = backfills.cancel(session, ids, house.now())
    if as_json:
        output.document({"cancelled": ended})
    elif ended:
        click.echo("cancelled; what was sent stays")
    if not ended:
        raise failures.Failed("no backfill is open: there is nothing to cancel")


def _ask(house: House, found: list[Named], days_asked: Span) -> list[Tracked]:
    asleep = [
        named for named in found if not resting.is_running(named.feed.state, named.feed.reason)
    ]
    if len(asleep) == len(found):
        named = asleep[0]
        raise failures.Failed(
            f"{named.name} is {named.feed.state} ({named.feed.reason}); "
            f"`waggle resume {named.name}` first"
        )
    now = house.now()
    with house.ledger.write() as session:
        tracked = []
        feeds.lock(session, col(Feed.id).in_([named.feed.id for named in found]))
        for named in found:
            if named in asleep:
                click.echo(f"waggle: {named.name} is {named.feed.state}: left out", err=True)
                continue
            first, last = days_asked
            try:
                row = backfills.ask(session, named.feed.id or 0, first=first, last=last, now=now)
            except OtherBackfillError as exc:
                raise failures.Refused(
                    f"{named.name}: {names.dashed(exc.first_day)} to "
                    f"{names.dashed(exc.last_day)} is being read already: wait until that is "
                    f"done (`waggle status`), or `waggle sync {named.name} --cancel-backfill`"
                ) from exc
            tracked.append(Tracked(named.name, row))
    return tracked


def _interrupted(name: str, *, alive: int) -> failures.Failed:
    return failures.Failed(
        f"the backfill stays in the ledger: {working.who_goes_on(alive)}, or this command again. "
        f"`waggle status` shows how far it is, `waggle sync {name} --cancel-backfill` ends it"
    )


def _end(tracked: Sequence[Tracked], *, quiet: bool) -> None:
    failed = []
    for one in tracked:
        row = one.row
        if row.state == BackfillState.DONE:
            if not quiet:
                click.echo(f"{one.name}: {_wanted(row)} read again, {_outcome(one)}")
        elif row.state == BackfillState.WORKING:
            done, total = backfill_progress.counted(row)
            waits = f" when it is no longer {one.halted}" if one.halted else " while a worker runs"
            why = f"; so far: {output.plain(row.error)}" if row.error else ""
            failed.append(
                f"{one.name}: not done yet, {done} of {total} days; it goes on{waits}{why}"
            )
        else:
            why = output.plain(row.error or "it was cancelled")
            failed.append(f"{one.name}: {row.state} before {names.dashed(row.next_day)}: {why}")
    if failed:
        raise failures.Failed("\n".join(failed))


def _outcome(one: Tracked) -> str:
    row = one.row
    points = "1 datapoint" if row.written == 1 else f"{row.written} datapoints"
    if not row.held:
        return f"{points} written"
    return f"{points} written, {row.held} held: `waggle approve {one.name} --all` sends them"


def _wanted(row: Backfill) -> str:
    _, total = backfill_progress.counted(row)
    first, last = names.dashed(row.first_day), names.dashed(row.last_day)
    return "1 day" + f" ({first})" if total == 1 else f"{total} days ({first} to {last})"


def _document(one: Tracked) -> dict[str, Any]:
    row = one.row
    done, total = backfill_progress.counted(row)
    return {
        "backfill": row.id,
        "feed": one.name,
        "first_day": row.first_day,
        "last_day": row.last_day,
        "next_day": row.next_day if row.next_day <= row.last_day else None,
        "state": row.state,
        "days": total,
        "days_done": done,
        "written": row.written,
        "held": row.held,
        "error": row.error,
    }


def lines(session: Session) -> Iterator[str]:
    """A line for each backfill that has not ended, for `waggle status`."""
    for name, row in backfills.named(session):
        done, total = backfill_progress.counted(row)
        first, last = days.parse(row.first_day), days.parse(row.last_day)
        trouble = f"; trying again: {output.plain(row.error)}" if row.error else ""
        yield f"{name} {first}..{last}: {done} of {total} days{trouble}"
