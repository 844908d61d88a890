"""How this Waggle itself is, for `waggle doctor`: what it stands on, and whether it moves."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path

import httpx
from sqlmodel import Session

from clients import canary as callbacks
from clients.errors import Unavailable
from db import movement, rotation, schema, tallies, workers
from db.clock import JUMP_SECONDS
from db.engine import Ledger
from db.movement import PROGRESS
from db.overdue import PATIENCE_SECONDS
from db.tallies import Key, Seen
from tasks import canary
from worker.cli.findings import Finding, State
from worker.settings import Settings

MB = 1024 * 1024
LEAST_FREE, FEW_FREE = 100 * MB, 1024 * MB
BIG_WAL = 256 * MB
CALL_SECONDS = 5.0
CLOCKS_ODD = 5.0  # Beeminder tells seconds only, and the answer takes a while
CLOCKS_RED = 60.0
CANARY_SECONDS = 900.0
HOUR = 3600.0
BACKUP_ODD, BACKUP_RED = 36 * HOUR, 8 * 24 * HOUR


def space(home: Path) -> Finding:
    """Room on the disk: without it no callback is stored, and the embedded database stops."""
    free = shutil.disk_usage(home).free
    text = f"{free / MB:,.0f} MB free at {home}"
    if free < LEAST_FREE:
        return Finding("disk", "red", text, "make room: nothing can be stored soon")
    return Finding("disk", "odd" if free < FEW_FREE else "ok", text)


def database(ledger: Ledger, now: float) -> Finding:
    """Is it at our revision, and does it take a commit? One is made."""
    kind = ledger.url.get_backend_name()
    try:
        with ledger.write() as session:
            schema.writable(session)
            tallies.mark(session, {Key(tallies.DOCTOR): Seen(now)})
    except schema.ReadOnlyError as error:
        return Finding("database", "red", str(error), "point DATABASE_URL at one that takes writes")
    text = f"{kind}, takes commits, at revision {schema.HEAD}"
    wal = Path(f"{ledger.url.database}-wal")
    size = wal.stat().st_size if ledger.is_sqlite and wal.exists() else 0
    if size > BIG_WAL:
        text = f"{kind}: its write-ahead log has {size / MB:,.0f} MB"
        remedy = "somebody reads without end, a copy perhaps: end that, then restart Waggle"
        return Finding("database", "odd", text, remedy)
    return Finding("database", "ok", text)


def secrets(session: Session, settings: Settings) -> Finding:
    """Can every stored secret be read with the keys that are set?"""
    found = rotation.standing(session, settings.secret_keys)
    if found.unreadable:
        text = f"can't be read with them: {', '.join(found.unreadable)}"
        remedy = "put the old key back into WAGGLE_SECRET_KEYS, or `waggle apply` the file again"
        return Finding("keys", "red", text, remedy)
    return Finding("keys", "ok", f"all {sum(found.by_key)} stored secrets can be read")


def staff(session: Session, now: float) -> Iterator[Finding]:
    """Workers by queue, beat, and whether what is due is done."""
    known = workers.known(session)
    alive = [one for one in known if one.seen_at > now - workers.ALIVE_SECONDS]
    served = {queue for one in alive for queue in one.queues.split(",")}
    missing = [queue for queue in movement.QUEUES if queue not in served]
    if not alive:
        yield Finding("workers", "red", "none is running, nothing is synced", "waggle up")
    elif missing:
        remedy = f"waggle worker --queues {','.join(missing)}"
        yield Finding("workers", "red", f"none serves {', '.join(missing)}", remedy)
    else:
        ours = metadata.version("waggle-server")
        others = sorted({one.version or "?" for one in alive} - {ours, "?"})
        text = f"{len(alive)} alive, for {', '.join(sorted(served))}"
        if others:
            text = f"some are of version {', '.join(others)}, this is {ours}"
        remedy = "restart them, or use that version's command" if others else ""
        yield Finding("workers", "odd" if others else "ok", text, remedy)
    found = movement.look(session, now)
    yield _beat(found, now, [one.started_at for one in alive])
    if found.overdue:
        remedy = "`waggle status` and `waggle events` say what waits; more workers, or restart them"
        yield Finding("work", "red", "; ".join(found.overdue), remedy)
    else:
        yield Finding("work", "ok", f"oldest due work: {found.oldest_due:.0f} s")
    if PROGRESS in served:
        yield Finding("progress", "ok", "runs are followed")
    elif any(PROGRESS in one.queues.split(",") for one in known):
        text = "whoever followed runs is silent"
        yield Finding("progress", "red", text, "start it again: `waggle progress`")


def _beat(found: movement.Movement, now: float, started: list[float]) -> Finding:
    remedy = "start one: `waggle beat`, or `waggle worker --with-beat`; does the broker deliver?"
    if found.sweep is None or found.sweep > PATIENCE_SECONDS:
        ago = (
            "nobody has swept yet" if found.sweep is None else f"last swept {found.sweep:.0f} s ago"
        )
        young = bool(started) and now - min(started) <= PATIENCE_SECONDS
        return Finding("beat", "odd" if young else "red", ago, remedy)
    return Finding("beat", "ok", f"last swept {found.sweep:.0f} s ago")


def clocks(ledger_now: float) -> Finding:
    """Ours and the database's."""
    apart = ledger_now - time.time()
    if abs(apart) > JUMP_SECONDS:
        text = f"this machine and the database are {abs(apart):.1f} s apart"
        return Finding("clocks", "red", text, "set both by NTP")
    return Finding("clocks", "ok", "this machine and the database agree")


def beeminders_clock(http: httpx.Client, settings: Settings) -> Finding:
    """Deadlines are Beeminder's: a clock that is wrong is early or late for all of them."""
    what = "Beeminder's clock"
    try:
        answer = http.head(settings.beeminder_url, timeout=CALL_SECONDS)
        told = parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError) as error:
        text = f"not known: {type(error).__name__}"
        return Finding(what, "odd", text, "can WAGGLE_BEEMINDER_URL be reached from here?")
    apart = abs((told - datetime.now(UTC)).total_seconds())
    if apart > CLOCKS_ODD:
        text = f"is {apart:.0f} s apart from this machine's"
        return Finding(what, "red" if apart > CLOCKS_RED else "odd", text, "set this one by NTP")
    return Finding(what, "ok", "agrees with this machine's")


def door(http: httpx.Client, settings: Settings) -> Finding:
    """Does the public address lead to our receiver? There an empty callback is refused.

    That it is reached from outside only a callback of Beeminder's shows (`--callback`).
    """
    what, url = "callbacks", settings.public_url
    try:
        status = callbacks.knock(
            http, url, secret=settings.callback_secrets[0], seconds=CALL_SECONDS
        )
    except Unavailable as error:
        remedy = (
            "does the receiver run (`waggle up`), does the way from WAGGLE_PUBLIC_URL lead to it? "
            "From inside a network its public address may be out of reach although it works"
        )
        return Finding(what, "odd", f"{url}: {error.message}", remedy)
    if status != httpx.codes.BAD_REQUEST:
        remedy = (
            "it is not this Waggle's receiver, or has other WAGGLE_CALLBACK_SECRETS: callbacks of "
            "Beeminder end there too"
        )
        return Finding(what, "red", f"{url} answers {status} to one of ours", remedy)
    return Finding(what, "ok", f"{url} takes them; `waggle doctor --callback` has one made")


def app(settings: Settings) -> Iterator[Finding]:
    """The registered app: all of it, or none."""
    given = {
        "WAGGLE_BEEMINDER_CLIENT_ID": settings.beeminder_client_id,
        "WAGGLE_BEEMINDER_CLIENT_SECRET": settings.beeminder_client_secret,
        "WAGGLE_BEEMINDER_APP_NAME": settings.beeminder_app_name,
    }
    missing = [name for name, value in given.items() if not value]
    if len(missing) == len(given):
        return
    needed = [name for name in missing if "SECRET" not in name]  # which the token flow needs not
    if needed:
        text = f"{', '.join(needed)} is not set, and others of it are"
        yield Finding("app", "red", text, "set them as Beeminder shows them on the app's page")
    elif settings.public_url.startswith("http:"):
        text = f"Beeminder would send tokens to {settings.public_url} in the clear"
        yield Finding("app", "odd", text, "put a proxy with https in front of it")
    else:
        yield Finding("app", "ok", settings.beeminder_app_name or "")


def the_canary(session: Session, settings: Settings, now: float) -> Iterator[Finding]:
    """What the canary has brought back."""
    if settings.canary is None:
        return
    fresh, failed = tallies.last(session, canary.FRESH), tallies.last(session, canary.FAILED)
    failures = 0 if failed is None else int(failed.value)
    remedy = (
        f"is {settings.canary} a feed of yours, does `waggle sync {settings.canary} --wait` work, "
        "and does WAGGLE_PUBLIC_URL lead to the receiver?"
    )
    if settings.hold_seconds <= 0:
        text = "WAGGLE_HOLD_SECONDS is 0, so no callback is ever answered 200"
        yield Finding("canary", "red", text, "set it to 25, or unset WAGGLE_CANARY")
    elif fresh is None:
        text = f"{failures} sent, none came back" if failures else "none was sent yet"
        yield Finding("canary", "red" if failures else "odd", text, remedy)
    else:
        text = f"the last one came back {now - fresh.at:.0f} s ago, after {fresh.value:.1f} s"
        bad = failures >= canary.FAILURES or now - fresh.at > CANARY_SECONDS
        if failures:
            text = f"{text}; {failures} have failed since"
        yield Finding("canary", "red" if bad else "ok", text, remedy if bad else "")


def backups(session: Session, home: Path, now: float) -> Iterator[Finding]:
    """How old the newest backup is: one that was made here, or a file in `backups` of the home.

    Nothing is said where there is neither, nor such a folder: somebody else may see to it.
    """
    folder = home / "backups"
    made = tallies.last(session, tallies.Key(tallies.BACKUP))
    there = folder.is_dir()
    times = [path.stat().st_mtime for path in folder.iterdir() if path.is_file()] if there else []
    times += [] if made is None else [made.at]
    if not times:
        if there:
            yield Finding("backups", "red", f"none in {folder}", "`waggle backup` makes one")
        return
    age = now - max(times)
    text = f"the newest is {age / HOUR:.0f} hours old"
    if age > BACKUP_ODD:
        state: State = "red" if age > BACKUP_RED else "odd"
        yield Finding("backups", state, text, "`waggle backup` makes a new one")
    else:
        yield Finding("backups", "ok", text)
