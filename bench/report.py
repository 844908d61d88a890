"""The figures as a table, and as JSON."""

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figures

COLUMNS = (
    ("scenario", 9),
    ("vendor counts", 34),
    ("side", 7),
    ("ideal", 7),
    ("makespan", 9),
    ("ratio", 6),
    ("landed", 7),
    ("served", 7),
    ("refused", 8),
    ("late", 5),
    ("early", 6),
    ("verdict", 0),
)


def machine() -> str:
    """What this was measured on."""
    kib = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{os.cpu_count()} cores, {kib / 2**20:.0f} GiB, Python {platform.python_version()}"


def head(place: str, workers: int) -> str:
    """Title and heading of a table."""
    names = "".join(name.ljust(width) for name, width in COLUMNS)
    return f"\n== {place}, {workers} worker processes\n{names}"


def line(found: Figures) -> str:
    """One row."""
    cells = (
        found.case.scenario,
        found.case.window,
        found.case.side,
        _seconds(found.ideal or None),
        _seconds(found.makespan),
        "-" if found.ratio is None else f"{found.ratio:.3f}",
        _seconds(found.landed),
        f"{found.served}",
        f"{found.refused}",
        f"{found.late}",
        f"{found.early}",
        verdict(found),
    )
    row = zip(cells, COLUMNS, strict=True)
    return "".join(cell.ljust(width) for cell, (_, width) in row)


def verdict(found: Figures) -> str:
    """Whether the promises hold, and which do not."""
    said = "; ".join(found.broken) or "holds"
    if found.case.side != "waggle":
        said = ""  # nobody has promised anything
    if found.others is not None:
        said += f" (the others {found.others:.1f} s after it opened)"
    return said


def document(figures: Sequence[Figures]) -> dict[str, Any]:
    """All of it."""
    return {"machine": machine(), "figures": [found.as_json() for found in figures]}


def holds(figures: Iterable[Figures]) -> bool:
    """Are all promises of Waggle kept? Those of its peer were never made."""
    return not any(found.broken for found in figures if found.case.side == "waggle")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
