"""`waggle provider test`: does a source keep what ours keep?"""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from worker import logs
from worker.cli import failures, output

if TYPE_CHECKING:
    from worker.kit.promises import Outcome

COLOURS = {"ok": "green", "broken": "red"}


@click.group()
def provider() -> None:
    """Try whether a source of your own keeps what ours keep.

    \b
    Example:
      waggle provider test waggle_json:PROVIDER
    """  # noqa: D301 -- \b is click's mark


@provider.command()
@click.argument("name", metavar="MODULE:NAME")
@click.option(
    "--trial",
    metavar="MODULE:NAME",
    help="What the vendor answers; by default TRIAL of MODULE or of MODULE.trial.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def test(*, name: str, trial: str | None, as_json: bool) -> None:
    """Try to break each promise of a provider: shape, values, errors, limits, reading only.

    MODULE:NAME is a tasks.providers.Provider, or what gives one when it is called. Its vendor is
    played on this machine, by what a tasks.trial.Trial says of it; nothing else is called. It takes
    half a minute. Exit status 1 if a promise is broken, or can't be tried without a trial.

    \b
    Examples:
      waggle provider test waggle_json:PROVIDER
      waggle provider test my_package.source:PROVIDER --trial my_tests.vendor:TRIAL
    """  # noqa: D301 -- \b is click's mark
    from worker.kit import loading, run  # noqa: PLC0415 -- a server and all that: only needed here

    try:
        found = loading.provider(name)
        play = loading.trial(trial, module=name.partition(":")[0], provider=found.name)
    except loading.NotLoadedError as error:
        raise failures.Refused(output.plain(str(error))) from error
    logs.configure("console", "error", cache=False)  # what a provider logs is not our answer
    outcomes = []
    for outcome in run.run(found, play):
        outcomes.append(outcome)
        if not as_json:
            _print(outcome)
    if as_json:
        output.document([asdict(outcome) for outcome in outcomes])
    if any(outcome.state == "broken" for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _print(outcome: "Outcome") -> None:
    state = click.style(f"{outcome.state:6}", fg=COLOURS[outcome.state])
    text = outcome.sentence
    if outcome.problems:
        more = len(outcome.problems) - 1
        text = f"{outcome.problems[0]}{f' (and {more} more: see --json)' if more else ''}"
        text += f": {outcome.remedy}"
    click.echo(f"{state} {outcome.promise:28} {output.plain(text)}")
