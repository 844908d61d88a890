"""What commands print: one JSON document, or a table for people."""

import json
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE = 240  # nobody wraps lines for a pipe
COLOURS = {
    "active": "green",
    "done": "green",
    "landed": "green",
    "created": "green",
    "completed": "green",
    "failing": "red",
    "failed": "red",
    "dead": "red",
    "rejected": "red",
    "reauthorize": "red",
    "deauthorized": "red",
    "partially_failed": "yellow",
    "paused": "yellow",
    "held": "yellow",
    "changed": "yellow",
}


def document(found: object) -> None:
    """Exactly one JSON document on stdout."""
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Rows under their columns, or the sentence `empty` where there are none."""
    if not rows:
        click.echo(empty)
        return
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        last = number == len(columns) - 1
        made.add_column(name, no_wrap=not last, overflow="fold")
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    terminal = sys.stdout.isatty()
    console = Console(
        file=sys.stdout, width=None if terminal else WIDE, highlight=False, markup=False
    )
    console.print(made)


def when(iso: str | None) -> str:
    """A time of the ledger, for people: date and time in UTC without the letters."""
    if iso is None:
        return "-"
    return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M:%S")


def opening(at: float) -> str:
    """When a limit ends (UTC seconds), like `when`; rounded up, nobody may come before."""
    return datetime.fromtimestamp(math.ceil(at), UTC).strftime("%Y-%m-%d %H:%M:%S")


def some(names: Sequence[str], *, at_most: int = 5) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more} more" if more > 0 else "")


def plain(text: str) -> str:
    """Text of others without what could steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def _cell(value: object) -> Text:
    text = "-" if value is None else plain(str(value))
    return Text(text, style=COLOURS.get(text, ""))
