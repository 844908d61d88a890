"""`waggle doctor`: one line for everything that has to be in place, and what to do if it is not."""

import contextlib
import shlex
import stat
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
import httpx
from sqlalchemy.exc import SQLAlchemyError

from db import alerts, held_up, runs_listed, schema
from db.clock import LedgerClock
from db.engine import Ledger
from db.schema import SchemaError
from worker import logs, redaction
from worker.cli import condition, diagnosis, gates, live_progress, output, ringing, status
from worker.cli.findings import Finding, State
from worker.cli.house import read_settings
from worker.settings import Settings

COLOURS = {"ok": "green", "odd": "yellow", "red": "red"}
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@click.command()
@click.option(
    "--callback",
    metavar="USER/GOAL",
    help="Have Beeminder call back for this goal once, and follow that call instead.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long --callback waits.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(*, callback: str | None, timeout: float, as_json: bool) -> None:
    """Check settings, disk, database, broker, workers, beat, clocks, sources and Beeminder.

    Source systems and Beeminder are really called, with the stored credentials. Exit status 1 if
    anything is red. With --callback Beeminder is asked to refresh one goal, which is to be done
    sparingly, and its own call is awaited.

    \b
    Examples:
      waggle doctor
      waggle doctor --callback alice/energy
    """  # noqa: D301 -- \b is click's mark
    found = []
    for finding in _examine_all() if callback is None else _follow(callback, timeout):
        found.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        output.document([asdict(finding) for finding in found])
    if any(finding.state == "red" for finding in found):
        raise click.exceptions.Exit(1)


def _examine_all() -> Iterator[Finding]:
    settings = read_settings()
    logs.configure(settings.log_format, "error", cache=False)
    logs.hide(*settings.secrets())
    yield from _examine(settings)


def _follow(name: str, timeout: float) -> Iterator[Finding]:
    from worker.cli import callback_check  # noqa: PLC0415 -- only needed here

    yield from callback_check.examine(name, timeout=timeout)


def _print(finding: Finding) -> None:
    state = click.style(f"{finding.state:4}", fg=COLOURS[finding.state])
    remedy = f": {finding.remedy}" if finding.remedy else ""
    click.echo(f"{state} {finding.what:20} {output.plain(finding.text + remedy)}")


def _examine(settings: Settings) -> Iterator[Finding]:
    yield from _settings(settings)
    yield from _home(settings.home)
    answers = False
    try:
        with contextlib.closing(Ledger(settings.database_url)) as ledger:
            schema.migrate(ledger, copies_in=settings.backup_folder)
            answers = True
            yield from _ledger(ledger, settings)
    except (OSError, SQLAlchemyError, SchemaError) as exc:
        yield Finding("database", "red", _why(exc), "is DATABASE_URL right, does it run?")
    yield _broker(settings)
    yield from _telling(settings)
    yield from condition.app(settings)
    with httpx.Client() as http:
        yield condition.door(http, settings)
        yield condition.beeminders_clock(http, settings)
    if answers:  # who is to be called stands in the database
        for case in diagnosis.examine(settings):
            state: State = "red" if case.bad else "odd" if case.odd else "ok"
            yield Finding(case.what, state, case.text, case.remedy)


def _ledger(ledger: Ledger, settings: Settings) -> Iterator[Finding]:
    """What the database is asked, in its own words and those of the workers."""
    now = LedgerClock(ledger).now()
    yield condition.database(ledger, now)
    yield condition.clocks(now)
    with ledger.read() as session:
        yield condition.secrets(session, settings)
        yield from condition.staff(session, now)
        yield from condition.the_canary(session, settings, now)
        yield from condition.backups(session, settings.home, now)
    yield from _held_up(ledger)


def _settings(settings: Settings) -> Iterator[Finding]:
    yield Finding("settings", "ok", f"public address {settings.public_url}")
    for line in settings.warnings:
        yield Finding("settings", "odd", line)
    dotenv = Path(".env")
    if dotenv.exists() and stat.S_IMODE(dotenv.stat().st_mode) & OTHERS:
        yield Finding("settings", "odd", ".env can be read by others", "chmod 600 .env")


def _home(home: Path) -> Iterator[Finding]:
    found = _writable(home)
    yield found
    if found.state != "red":
        yield condition.space(home)


def _writable(home: Path) -> Finding:
    probe = home / ".writable"
    try:
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as exc:
        return Finding("home", "red", f"{home}: {exc.strerror}", "set WAGGLE_HOME to your own")
    if stat.S_IMODE(home.stat().st_mode) & OTHERS:
        return Finding("home", "odd", f"{home} can be opened by others", f"chmod 700 {home}")
    return Finding("home", "ok", str(home))


def _held_up(ledger: Ledger) -> Iterator[Finding]:
    """What nobody here can mend at once, but should know of: it explains why work waits."""
    now = LedgerClock(ledger).now()
    with ledger.read() as session:
        shut = [
            gate for gate in held_up.gates(session, now, notable=True) if gate.since is not None
        ]
        broken = held_up.broken(session)
        suspects, set_aside = held_up.dangerous(session)
        stale, given_up = runs_listed.troubles(session, now)
        house = alerts.open_now(session)
    for alert in house:
        yield Finding("alert", "odd", alert.message)
    for gate in shut:
        opening = f"`waggle gates --open {shlex.quote(gate.account)}`"
        remedy = "wait"
        if gate.until is not None:
            remedy = f"wait, or {opening} if you know that it is over"
        yield Finding(f"gate {gate.name}", "odd", gates.told(gate, now), remedy)
    for name, found in broken:
        text = f"no answer {gates.breaker_told(found, now)}"
        yield Finding(name, "odd", text, "see that it runs and can be reached from here")
    if suspects:
        text = f"{output.some(suspects)}: {status.SUSPECT}"
        yield Finding("suspects", "odd", text, "wait: what kills its worker is set aside soon")
    if set_aside:
        text = f"{output.some(set_aside)}: {status.SET_ASIDE}"
        yield Finding("set aside", "red", text, status.try_again(set_aside))
    for runs, what, remedy in (
        (stale, live_progress.STALE, live_progress.STALE_REMEDY),
        (given_up, live_progress.GIVEN_UP, live_progress.GIVEN_UP_REMEDY),
    ):
        if runs:
            yield Finding("live progress", "odd", live_progress.told(runs, what), remedy)


def _broker(settings: Settings) -> Finding:
    kind = settings.broker_url.partition(":")[0]
    with ringing.bells(settings) as bells:
        if bells.round_trip():
            return Finding("broker", "ok", f"{kind}, hands bells on")
        if bells.reachable():
            text, remedy = f"{kind} answers, and does not hand on what it is given", "restart it"
            return Finding("broker", "red", text, remedy)
    return Finding("broker", "red", f"{kind} does not answer", "is BROKER_URL right, does it run?")


def _telling(settings: Settings) -> Iterator[Finding]:
    """Are the operator's addresses understood? Nothing is sent."""
    if not settings.notify:
        return
    from worker.cli import notifying  # noqa: PLC0415 -- only needed here

    for place, found in enumerate(notifying.examine(settings.notify), start=1):
        if found.ok:
            yield Finding("WAGGLE_NOTIFY", "ok", f"address {place}: {found.service}")
            continue
        text = f"address {place} {found.reason}"
        yield Finding("WAGGLE_NOTIFY", "red", text, "`waggle notify --test` sends to each")


def _why(exc: Exception) -> str:
    lines = [line.strip() for line in str(getattr(exc, "orig", None) or exc).splitlines()]
    return redaction.text(next(filter(None, lines), type(exc).__name__))
