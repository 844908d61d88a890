"""`waggle notify`: does what the operator should know arrive?"""

from collections.abc import Iterator, Sequence

import click

from clients import notifier
from clients.notifier import Letter, Outcome
from tasks import telling
from worker import logs, redaction
from worker.cli import failures, output
from worker.cli.house import read_settings

SECONDS = 20.0


@click.command()
@click.option("--test", is_flag=True, help="Send a test to each address.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def notify(*, test: bool, as_json: bool) -> None:
    """Say which services WAGGLE_NOTIFY names; with --test, send each a test.

    Exit status 1 if an address is not understood, or a test did not arrive.

    \b
    Examples:
      waggle notify
      waggle notify --test
    """  # noqa: D301 -- \b is click's mark
    settings = read_settings()
    logs.hide(*settings.secrets())
    if not settings.notify:
        raise failures.Refused(
            "WAGGLE_NOTIFY is not set: nobody hears of outages; set it to Apprise addresses, such "
            "as ntfy://a-topic-that-nobody-guesses"
        )
    found = list(_test(settings.notify) if test else examine(settings.notify))
    if as_json:
        output.document(
            [
                {"address": place, "service": one.service, "ok": one.ok, "error": _reason(one)}
                for place, one in enumerate(found, start=1)
            ]
        )
    else:
        for place, one in enumerate(found, start=1):
            well = "test sent" if test else "understood"
            name = f"address {place}{f' ({one.service})' if one.service else ''}"
            click.echo(output.plain(f"{name}: {well if one.ok else _reason(one)}"))
    if not all(one.ok for one in found):
        raise click.exceptions.Exit(1)


def examine(urls: Sequence[str]) -> list[Outcome]:
    """What each address is, in their order."""
    letters = [Letter(f"{place:03}", url) for place, url in enumerate(urls)]
    return _ordered(notifier.examine(letters, guard=None, seconds=SECONDS))


def _test(urls: Sequence[str]) -> list[Outcome]:
    letters = [
        Letter(f"{place:03}", url, telling.TEST_TITLE, telling.TEST_BODY)
        for place, url in enumerate(urls)
    ]
    return _ordered(notifier.send(letters, guard=None, seconds=SECONDS))


def _ordered(found: Iterator[Outcome] | Sequence[Outcome]) -> list[Outcome]:
    return sorted(found, key=lambda one: one.key)


def _reason(one: Outcome) -> str | None:
    return None if one.reason is None else redaction.text(one.reason)
