"""`waggle probe`: find out at a real account what a vendor's pages do not say."""

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import click
from sqlmodel import select

from clients.errors import ClientError
from db.models import Goal
from tasks import probing
from tasks.declared import split_name
from tasks.gates import DeferredError
from tasks.probing import NotThrowAwayError, Profile, Step
from worker import runtime
from worker.cli import failures, output, questions
from worker.cli.house import House, opened, user_named

FORMAT = "waggle-beeminder-profile"
SETTINGS = (
    "Waggle takes each of these answers as it comes, so no setting has to change. "
    "`waggle simulate --profile {path}` makes the simulator behave like it."
)


@click.group()
def probe() -> None:
    """Find out at a real account what a vendor's pages do not say.

    \b
    Example:
      waggle probe beeminder alice/throw-away
    """  # noqa: D301 -- \b is click's mark


@probe.command()
@click.argument("name", metavar="[USER/GOAL]", required=False)
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--list", "listed", is_flag=True, help="Say what would be asked, and end.")
@click.option("--only", metavar="STEP", multiple=True, help="This step only; may be repeated.")
@click.option("--confirm", metavar="GOAL", help="The goal's name once more, for scripts.")
@click.option("--yes", is_flag=True, help="Do not ask before each step.")
def beeminder(
    *,
    name: str | None,
    path: Path | None,
    listed: bool,
    only: Sequence[str],
    confirm: str | None,
    yes: bool,
) -> None:
    """Ask Beeminder itself, on a goal that may be thrown away, and write down the answers.

    The goal has to be new: no money on it, no data source, no feed of Waggle's, and no datapoint
    but those of earlier probes. What is written there is deleted at the end. FILE (by default
    beeminder-profile.json) names nobody.

    \b
    Examples:
      waggle probe beeminder --list
      waggle probe beeminder alice/throw-away
      waggle probe beeminder alice/throw-away --only resends --only queue
      waggle probe beeminder alice/throw-away out.json --yes --confirm throw-away
    """  # noqa: D301 -- \b is click's mark
    steps = _chosen(only)
    if listed:
        for step in steps:
            click.echo(f"{step.name:<12} {step.does}")
        for point, why in probing.NOT_ASKED.items():
            click.echo(f"not asked: {point} ({why})")
        return
    parts = split_name(name or "")
    if parts is None or parts[2]:
        raise failures.Refused(f"{name!r} is not USER/GOAL; --list says what would be asked")
    file = path or Path("beeminder-profile.json")
    if file.exists():
        raise failures.Refused(f"{file} is there already; say another name")
    with opened() as house:
        profile = _probe(house, parts[0], parts[1], steps, confirm=confirm, yes=yes)
    _write(file, profile)
    _tell(profile, file)


def _chosen(only: Sequence[str]) -> list[Step]:
    by_name = {step.name: step for step in probing.STEPS}
    for wanted in only:
        if wanted not in by_name:
            raise failures.Refused(
                f"there is no step {wanted!r}{failures.nearest(wanted, by_name)}"
            )
    return [step for step in probing.STEPS if not only or step.name in only]


def _probe(
    house: House, username: str, slug: str, steps: list[Step], *, confirm: str | None, yes: bool
) -> Profile:
    with house.ledger.read() as session:
        user = user_named(session, username)
        fed = session.exec(select(Goal).where(Goal.user_id == user.id, Goal.slug == slug)).first()
    if fed is not None:
        raise failures.Refused(f"{slug} is a goal that Waggle feeds: make a new one at Beeminder")
    with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:
        try:
            asked = probing.prepared(rt, user, slug)
            _agree(slug, steps, confirm)
            chosen = [step for step in steps if _wanted(step, yes=yes)]
            return probing.run(
                asked, chosen, began=lambda step: click.echo(f"{step.name}: {step.does}", err=True)
            )
        except NotThrowAwayError as exc:
            raise failures.Refused(f"{exc}; nothing was written") from exc
        except (ClientError, DeferredError) as exc:
            raise failures.Failed(f"Beeminder: {output.plain(str(exc))}") from exc


def _agree(slug: str, steps: Sequence[Step], confirm: str | None) -> None:
    """The goal's name has to be typed: a slip of the finger may not write to another one."""
    if confirm is None:
        if not questions.somebody():
            raise failures.Refused(
                f"nobody is here to type the goal's name: --confirm {slug} says it"
            )
        click.echo(f"{len(steps)} steps write to {slug}, and delete what they wrote.", err=True)
        confirm = click.prompt("Type the goal's name to go on", err=True)
    if confirm != slug:
        raise failures.Refused(f"{confirm!r} is not {slug!r}: nothing was written")


def _wanted(step: Step, *, yes: bool) -> bool:
    return yes or questions.agreed([f"{step.name} {step.does}. Go on?"], yes=False)[0]


def _write(path: Path, profile: Profile) -> None:
    said: dict[str, Any] = {
        "format": FORMAT,
        "version": 1,
        "waggle": metadata.version("waggle-server"),
        "made_on": datetime.now(UTC).date().isoformat(),
        "answers": {
            name: dataclasses.asdict(answer) | {"known": answer.value is not None}
            for name, answer in profile.answers.items()
        },
        "unknowns": profile.unknowns,
    }
    try:
        path.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as exc:
        raise failures.Failed(f"{path} can not be written: {exc.strerror}") from exc


def _tell(profile: Profile, path: Path) -> None:
    rows = [
        (name, "unknown" if answer.value is None else json.dumps(answer.value), answer.evidence)
        for name, answer in profile.answers.items()
    ]
    output.table(("point", "answer", "evidence"), rows, empty="nothing was asked")
    click.echo(SETTINGS.format(path=path))
