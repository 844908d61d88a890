"""Commands that change what happens next: pause, resume, replay."""

import click

from db import inbox, pauses, replaying
from db.models import Event
from db.states import EventKind
from tasks.linking import UNLINKED
from worker.cli import failures, ringing
from worker.cli.house import House, feeds_of, opened


@click.command()
@click.argument("name", metavar="USER/GOAL")
def pause(*, name: str) -> None:
    """Stop syncing a goal until it is resumed. Without a label: all its feeds.

    Datapoints that are on their way still land. Callbacks are answered 404 meanwhile.

    \b
    Example:
      waggle pause alice/energy
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        now = house.now()
        with house.ledger.write() as session:
            found = feeds_of(session, name)
            paused = pauses.pause(session, [named.feed for named in found], now)
            for named in found:
                if named.feed in paused:
                    house.did(session, "pause", named.name, user_id=named.user.id)
    for named in found:
        already = "" if named.feed in paused else f" {named.feed.state} already"
        click.echo(f"{named.name} is{already or ' paused'}")


@click.command()
@click.argument("name", metavar="USER/GOAL")
def resume(*, name: str) -> None:
    """Sync a paused goal again, at once.

    A feed that failed is tried again at once as well, and one that was set aside because it kept
    killing its worker: alone in a process, at first. One that was unlinked comes back with
    `waggle link`, one that was stopped otherwise with `waggle apply`.

    \b
    Example:
      waggle resume alice/energy
    """  # noqa: D301 -- \b is click's mark
    with opened() as house:
        now = house.now()
        with house.ledger.write() as session:
            found = feeds_of(session, name)
            resumed = pauses.resume(session, [named.feed for named in found], now)
            for named in found:
                if named.feed in resumed:
                    house.did(session, "resume", named.name, user_id=named.user.id)
    for named in found:
        if named.feed in resumed:
            click.echo(f"{named.name} is active")
    for named in found:
        if named.feed in resumed:
            continue
        unlinked = named.feed.reason == UNLINKED
        back = f"`waggle link {named.name}`" if unlinked else "`waggle apply` or a new connection"
        click.echo(
            f"waggle: {named.name} is stopped ({named.feed.reason}): {back} brings it back",
            err=True,
        )
    if not resumed:
        raise failures.Failed(f"nothing of {name} was resumed")


@click.command()
@click.argument("event_ids", metavar="ID...", nargs=-1, required=True)
def replay(*, event_ids: tuple[str, ...]) -> None:
    """Try events again, as new events that say what they replay.

    \b
    Example:
      waggle replay 01kaf0w5m2v6x3c8d9e7g4h1jk
    """  # noqa: D301 -- \b is click's mark
    ids = [event_id.strip().lower() for event_id in event_ids]
    with opened() as house:
        now = house.now()
        with house.ledger.write() as session:
            rows = []
            for event_id in ids:
                row = session.get(Event, event_id)
                if row is None:
                    raise failures.Refused(
                        f"there is no event {event_id!r}; `waggle events` lists them"
                    )
                if row.state not in inbox.ENDED:
                    raise failures.Refused(f"event {event_id} has not ended yet: it is {row.state}")
                rows.append(row)
            new = replaying.replay(session, rows, now)
            for made in new:
                house.did(
                    session, "replay", f"event {made.replay_of}", user_id=made.user_id, made=made.id
                )
        _ring(house, new)
    for event in new:
        click.echo(f"{event.id} replays {event.replay_of}")


def _ring(house: House, events: list[inbox.NewEvent]) -> None:
    kinds = {event.kind for event in events}
    with ringing.ringer(house.settings) as ring:
        if EventKind.DEAUTHORIZED in kinds:
            ring("deauthorize", "default")
        if kinds - {EventKind.DEAUTHORIZED}:
            ring("sync", "urgent")
