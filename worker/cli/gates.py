"""`waggle gates`: which limits of vendors make us wait, until when, and who waits."""

import math
from typing import Any

import click

from db import gate_opening, held_up, overview, quotas
from db.breakers import Open
from db.held_up import Gate
from tasks import limits
from tasks.limits import Learned
from worker.cli import failures, output
from worker.cli.house import House, opened

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WHY = {
    "rate_limited": "refused by a limit",
    "used_up": "its limit is used up",
    "unavailable": "asked for a pause",
    "pause": "asked for a pause",
}


@click.command()
@click.option(
    "--open",
    "name",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="Open this gate before its time, or let it go on at once if it is only slowed down.",
)
@click.option("--all", "every", is_flag=True, help="With --open: all gates that make us wait.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def gates(*, name: str | None, every: bool, as_json: bool) -> None:
    """What vendors count by: which gates are closed until when, how many feeds wait, the pace.

    A gate is closed when its vendor says so, and opens at the time that the vendor named. Whoever
    knows better opens it: one request goes first, and if that is refused it is closed again. Of one
    that is open the pace that was learned or named is forgotten. NAME is a gate as it is listed, or
    a source or person that uses it.

    \b
    Examples:
      waggle gates
      waggle gates --open bemserver:plant
      waggle gates --open --all
    """  # noqa: D301 -- \b is click's mark
    if name is None and every:
        raise failures.Refused("--all goes with --open")
    if name is not None and bool(name) == every:
        raise failures.Refused("--open needs the NAME of a gate, or --all")
    with opened() as house:
        if name is not None:
            _open(house, name, as_json=as_json)
            return
        now = house.now()
        with house.ledger.read() as session:
            found = held_up.gates(session, now)
    rate = house.settings.beeminder_rate
    if as_json:
        output.document([_whole(gate, now, rate) for gate in found])
        return
    output.table(
        ("gate", "state", "opens", "pace", "waiting", "for callbacks", "why"),
        [
            (
                gate.name,
                gate.state,
                None if gate.until is None else _until(gate.until, now),
                _rate(pace(gate, now, rate)),
                gate.waiting,
                gate.asked,
                _why(gate.reason),
            )
            for gate in found
        ],
        empty="no vendor has named or enforced a limit yet",
    )


def _open(house: House, name: str, *, as_json: bool) -> None:
    now = house.now()
    with house.ledger.write() as session:
        found = held_up.gates(session, now)
        chosen = [gate for gate in found if not name or name.lower() in _names(gate)]
        if name and not chosen:
            known = {each for gate in found for each in _names(gate)}
            raise failures.Refused(f"there is no gate {name!r}{_nearest(name, known)}")
        waited_for = [gate for gate in chosen if _makes_wait(gate, now)]
        gate_opening.open_gates(session, waited_for, found, now)
        for gate in waited_for:
            house.did(session, "open gate", gate.name)
    if as_json:
        output.document({"opened": [gate.name for gate in waited_for]})
        return
    for gate in waited_for:
        how = "may be used again: one request goes first"
        if gate.state != "closed":
            how = "goes on at once: what slowed it down is forgotten"
        click.echo(f"{gate.name} {how}{_crowd(gate)}")
    if not waited_for:
        which = f"{name} is not" if name else "no gate is"
        click.echo(f"{which} closed or slowed down: nothing was changed")


def _makes_wait(gate: Gate, now: float) -> bool:
    """Would it let somebody through sooner if it were opened? Who goes first is not hurried."""
    return gate.state in ("closed", "crowded") or (gate.state == "open" and slowed(gate, now))


def _names(gate: Gate) -> set[str]:
    """Whatever a person may call a gate, in small letters."""
    called = (gate.name, gate.account, gate.title, *gate.sources)
    return {each.lower() for each in called if each}


def _nearest(name: str, known: set[str]) -> str:
    return failures.nearest(name, known) if known else "; no vendor has named a limit yet"


def pace(gate: Gate, now: float, beeminder_rate: float) -> float | None:
    """Requests per second that are kept to, as far as answers or a setting say; else None."""
    interval = _slowed_to(gate, now)
    if gate.vendor == quotas.BEEMINDER and beeminder_rate > 0:
        interval = max(interval, 1.0 / beeminder_rate)
    return 1.0 / interval if interval > 0.0 else None


def slowed(gate: Gate, now: float) -> bool:
    """Is a pace kept to that answers have taught?"""
    return _slowed_to(gate, now) > 0.0


def _slowed_to(gate: Gate, now: float) -> float:
    learned = limits.loosened(Learned(gate.interval, gate.window), now - gate.learned_at)
    return max(learned, gate.spread)


def document(gate: Gate, now: float, beeminder_rate: float) -> dict[str, Any]:
    """A gate as `waggle status --json` has it; `pace` in requests per second."""
    kept = pace(gate, now, beeminder_rate)
    return {
        "name": gate.name,
        "state": gate.state,
        "vendor": gate.vendor,
        "title": gate.title,
        "endpoint": gate.endpoint,
        "since": overview.iso(gate.since),
        "until": overview.iso(gate.until),
        "reason": gate.reason,
        "waiting": gate.waiting,
        "pace": None if kept is None else round(kept, 4),
    }


def _whole(gate: Gate, now: float, beeminder_rate: float) -> dict[str, Any]:
    return document(gate, now, beeminder_rate) | {
        "asked": gate.asked,
        "sources": list(gate.sources),
    }


def breaker_document(name: str, found: Open) -> dict[str, Any]:
    """An open breaker as `waggle status --json` has it."""
    return {
        "subject": name,
        "since": overview.iso(found.troubled_since),
        "reason": found.reason,
        "next_probe": overview.iso(found.probe_at),
    }


def told(gate: Gate, now: float, beeminder_rate: float = 0.0) -> str:
    """How a gate stands, in one line for people."""
    if gate.since is None:
        return f"goes at {_rate(pace(gate, now, beeminder_rate))}, learned from its answers"
    if gate.until is None:
        return f"may be open: one request goes first{_crowd(gate)}"
    since = output.when(overview.iso(gate.since))
    why = f" ({_why(gate.reason)})" if gate.reason else ""
    return f"closed since {since}{why}, opens {_until(gate.until, now)}{_crowd(gate)}"


def breaker_told(found: Open, now: float) -> str:
    """An open breaker in one line, for people."""
    since = output.when(overview.iso(found.troubled_since))
    tried = _until(found.probe_at, now) if found.probe_at > now else "now"
    return f"since {since} ({output.plain(found.reason)}), tried again {tried}"


def _crowd(gate: Gate) -> str:
    if not gate.waiting:
        return ""
    feeds = "1 feed waits" if gate.waiting == 1 else f"{gate.waiting} feeds wait"
    return f"; {feeds}, {gate.asked} for callbacks" if gate.asked else f"; {feeds}"


def _why(reason: str | None) -> str | None:
    return None if reason is None else WHY.get(reason, output.plain(reason))


def _rate(rate: float | None) -> str | None:
    """`48/s`; slower ones by the minute or hour, so that nobody has to count zeros."""
    if rate is None:
        return None
    for seconds, unit in ((1.0, "s"), (MINUTE, "min")):
        if rate * seconds >= 1.0:
            return f"{rate * seconds:.3g}/{unit}"
    return f"{rate * HOUR:.3g}/h"


def _until(at: float, now: float) -> str:
    """In how long, never less than it is: `in 43 s`, `in 12 min`, `in 5 h 3 min`, `in 9 days`."""
    seconds = max(0, math.ceil(at - now))
    if seconds < 2 * MINUTE:
        return f"in {seconds} s"
    minutes = math.ceil(seconds / MINUTE)
    if seconds < 2 * HOUR:
        return f"in {minutes} min"
    if seconds < 2 * DAY:
        return f"in {minutes // 60} h {minutes % 60} min"
    return f"in {math.ceil(seconds / DAY)} days"
