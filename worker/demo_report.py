"""What the demo prints."""

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape

from simulators.beeminder_calls import CallResult
from simulators.beeminder_state import Datapoint


class Report:
    """Plain lines with a little colour where there is a terminal."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)

    def step(self, text: str) -> None:
        """Something is in place."""
        for line in text.splitlines():
            self._out.print(f"  {line}", markup=False)

    def heading(self) -> None:
        """Callbacks follow."""
        self._out.print("\n[bold]Beeminder calls, and acts on our answer[/bold]")

    def call(self, story: str, result: CallResult) -> None:
        """One callback: what happened, what was answered, and how long it took."""
        colour = "green" if result.status in (200, 202) else "red"
        self._out.print(f"  {story}", markup=False)
        self._out.print(
            f"    {result.kind} {result.username}/{result.slug} → "
            f"[{colour}]{result.status or result.error}[/{colour}] in {result.duration:.2f} s  "
            f"[dim]{escape(_answer(result))}[/dim]"
        )

    def command(self, story: str, command: str, printed: str) -> None:
        """One command of a person's, and the last line that it printed."""
        said = printed.strip().splitlines()
        self._out.print(f"  {story}\n    waggle {command}", markup=False)
        self._out.print(f"      [dim]{escape(said[-1] if said else '')}[/dim]")

    def goal(
        self,
        slug: str,
        points: Sequence[Datapoint],
        ours: Mapping[str, float],
        theirs: Mapping[str, float],
    ) -> None:
        """A goal as Beeminder has it, beside what the ledger says."""
        verdict = "equals the ledger" if ours == theirs else f"the ledger says {dict(ours)}"
        self._out.print(f"\n[bold]{slug}[/bold] at Beeminder {verdict}")
        for point in sorted(points, key=lambda point: point.daystamp):
            if point.requestid is not None:
                self._out.print(
                    f"  {point.daystamp}  {point.value:>9g}  {point.comment}", markup=False
                )

    def verdict(self, *, answered: bool, same: bool, callbacks: int) -> None:
        """Did every promise hold?"""
        good = answered and same
        colour, word = ("green", "yes") if good else ("red", "NO")
        self._out.print(
            f"\n{callbacks} callbacks. Every datapoint landed, once, and the ledger equals what "
            f"Beeminder holds: [bold {colour}]{word}[/bold {colour}]"
        )

    def pages(self, waggle: str, beeminder: str) -> None:
        """Where to look next."""
        self._out.print(f"\nLook around until Ctrl-C:\n  Waggle     {waggle}")
        self._out.print(f"  Beeminder  {beeminder}  (simulated; press Refresh on a goal)")

    def login(self, link: str) -> None:
        """The way in."""
        self._out.print(f"  sign in    {link}", markup=False)

    def failed(self, message: str) -> None:
        """The demo stops here."""
        Console(stderr=True, highlight=False, soft_wrap=True).print(message, markup=False)


def _answer(result: CallResult) -> str:
    try:
        body = json.loads(result.body)
    except ValueError:
        return ""
    if isinstance(body, dict) and body.get("status") == "fresh":
        return f"fresh, {body['datapoints']} written"
    return json.dumps(body) if body else ""
