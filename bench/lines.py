"""Figures of several rounds, beside those of a peer, with what was promised: a table and JSON."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import report

COLUMNS = (
    ("what", 46),
    ("waggle", 22),
    ("beside", 24),
    ("its figure", 22),
    ("ratio", 8),
    ("promised", 18),
    ("", 0),
)


@dataclass(frozen=True, slots=True)
class Spread:
    """What each round came to; their median is the figure."""

    rounds: tuple[float, ...]
    unit: str = ""

    @property
    def median(self) -> float:
        """The figure."""
        return statistics.median(self.rounds)

    def __str__(self) -> str:
        """Median, and the lowest and highest round."""
        low, middle, high = (_short(of) for of in (min(self.rounds), self.median, max(self.rounds)))
        return f"{middle} ({low}..{high}) {self.unit}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One promise: our figure, what it is measured beside, and by what it is bounded.

    `least` and `most` bound our figure in units of the other one, and in its own unit where there
    is none; `plus` is added to what `most` allows. Without either nothing is promised.
    """

    what: str
    ours: Spread
    beside: str = ""
    theirs: Spread | None = None
    least: float | None = None
    most: float | None = None
    plus: float = 0.0

    @property
    def ratio(self) -> float | None:
        """Our median in medians of the other."""
        if self.theirs is None or not self.theirs.median:
            return None
        return self.ours.median / self.theirs.median

    @property
    def holds(self) -> bool:
        """Is the promise kept, by the medians?"""
        base = 1.0 if self.theirs is None else self.theirs.median
        if self.least is not None and self.ours.median < self.least * base:
            return False
        return self.most is None or self.ours.median <= self.most * base + self.plus

    @property
    def promise(self) -> str:
        """In words."""
        times = "" if self.theirs is None else " x"
        if self.least is not None:
            return f"≥ {_short(self.least)}{times}"
        if self.most is None:
            return "-"
        if self.plus:
            return f"≤ it + {_short(self.plus)} {self.ours.unit}".rstrip()
        unit = f" {self.ours.unit}" if self.theirs is None else times
        return f"≤ {_short(self.most)}{unit}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "what": self.what,
            "unit": self.ours.unit,
            "waggle": list(self.ours.rounds),
            "beside": self.beside,
            "theirs": None if self.theirs is None else list(self.theirs.rounds),
            "ratio": self.ratio,
            "promised": self.promise,
            "holds": self.holds,
        }


def table(lines: Sequence[Line]) -> str:
    """With a heading; a figure is the median of its rounds, with the lowest and the highest."""
    return "\n".join(["".join(name.ljust(width) for name, width in COLUMNS), *map(_row, lines)])


def document(lines: Sequence[Line], **more: object) -> dict[str, Any]:
    """All of it; `more` are further keys."""
    return {"machine": report.machine(), **more, "lines": [line.as_json() for line in lines]}


def _row(line: Line) -> str:
    cells = (
        line.what,
        str(line.ours),
        line.beside,
        "" if line.theirs is None else str(line.theirs),
        "" if line.ratio is None else f"{line.ratio:.2f}",
        line.promise,
        "" if line.promise == "-" else "holds" if line.holds else "MISSED",
    )
    row = zip(cells, COLUMNS, strict=True)
    return "".join(f"{cell} ".ljust(width) for cell, (_, width) in row).rstrip()


def _short(value: float) -> str:
    if value == int(value) and abs(value) < 1000:  # noqa: PLR2004 -- as people write figures
        return f"{value:g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 -- as above
