"""Charts as SVG, made here: they need no script, print well, and take their colours from the style.

A bar is what the source says of a day, a ring is what is on the goal at Beeminder. Where the two
differ a line joins them. Each day says its figures in words to whoever points at it, and the chart
as a whole says what it shows to whoever can't see it; the table beside it holds the same figures.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from webhooks import words

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 12, 26
SPARK_HEIGHT = 32
TICKS = 4
SMALLEST = 1e-300
DAYS_PER_LABEL = 10  # more labels than that run into one another
WIDEST_BAR = 28.0
LABEL = 44  # as wide as the name of a day is
MOST_THAT_SPEAK = 20  # days that say their figures to whoever points at them


@dataclass(frozen=True, slots=True, kw_only=True)
class DayShown:
    """One day: `source` and `there` are None where nothing was said or nothing is there.

    `note` goes on after the figures: when it landed, or why nothing did.
    """

    daystamp: str
    source: float | None
    there: float | None
    note: str = ""


def days(shown: Sequence[DayShown], *, label: str, unit: str = "") -> Markup:
    """A chart of days, the oldest first; empty for no days. `label` names what is counted."""
    if not shown:
        return Markup("")
    low, high, step = _scale([each for day in shown for each in (day.source, day.there)])
    wide = (WIDTH - LEFT - RIGHT) / len(shown)
    bar = min(WIDEST_BAR, wide * 0.7)

    def down(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    parts = [Markup("<title>{}</title>").format(_summary(shown, label, unit))]
    for count in range(round((high - low) / step) + 1):
        value = low + count * step
        parts.append(
            Markup(
                '<line class="{}" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
                '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
            ).format(
                "axis" if abs(value) < step / 2 else "grid",
                LEFT,
                WIDTH - RIGHT,
                down(value),
                down(value),
                LEFT - 8,
                down(value) + 4,
                _short(value),
            )
        )
    every = math.ceil(len(shown) / DAYS_PER_LABEL)
    middles = [LEFT + wide * (place + 0.5) for place in range(len(shown))]
    if len(shown) > MOST_THAT_SPEAK:
        parts += _together(shown, middles, bar, down)
    for place, day in enumerate(shown):
        middle = middles[place]
        if len(shown) <= MOST_THAT_SPEAK:
            parts.append(_day(day, middle, bar, wide, down, unit))
        if (len(shown) - 1 - place) % every == 0:
            parts.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                    min(middle, WIDTH - LABEL / 2), HEIGHT - 8, words.short_day(day.daystamp)
                )
            )
    return Markup('<svg class="chart" role="img" viewBox="0 0 {} {}">{}</svg>').format(
        WIDTH, HEIGHT, Markup("").join(parts)
    )


def spark(values: Sequence[float | None], *, label: str) -> Markup:
    """The outline of a few bars, the oldest first; empty where there is nothing to see."""
    if not any(value is not None for value in values):
        return Markup("")
    low, high, _ = _scale(values)

    def down(value: float) -> int:
        return round(1 + (SPARK_HEIGHT - 2) * (high - value) / (high - low))

    # One outline of all days, which a list has room for; where nothing was said it is flat.
    foot = down(0.0)
    steps = [f"V{foot if value is None else _seen(down(value), foot)}h1" for value in values]
    return Markup(
        '<svg class="spark" role="img" viewBox="0 0 {} {}" preserveAspectRatio="none">'
        '<title>{}</title><path d="M0 {}{}V{}z"/></svg>'
    ).format(len(values), SPARK_HEIGHT, label, foot, "".join(steps), foot)


def _seen(end: int, foot: int) -> int:
    """The end of a bar that is long enough to be seen: a zero is no hole."""
    if end != foot:
        return end
    return end + 1 if foot < SPARK_HEIGHT / 2 else end - 1


def _bar(left: float, top: float, wide: float, high: float) -> str:
    """A bar as a part of a path: a page with many charts has many bars."""
    return f"M{_at(left)} {_at(top)}h{_at(wide)}v{_at(high)}h-{_at(wide)}z"


def _at(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _together(
    shown: Sequence[DayShown], middles: Sequence[float], bar: float, down: Callable[[float], float]
) -> list[Markup]:
    """All days as three marks: of so many none can be pointed at."""
    bars, dots, joints = [], [], []
    for day, middle in zip(shown, middles, strict=True):
        if day.source is not None:
            top = min(down(day.source), down(0.0))
            high = max(1.5, abs(down(day.source) - down(0.0)))
            bars.append(_bar(middle - bar / 2, top, bar, high))
        if day.there is not None:
            dots.append(
                f"M{_at(middle)} {_at(down(day.there))}h0"
            )  # the ends of the line are round
            if day.source is not None and not math.isclose(day.source, day.there):
                joints.append(f"M{_at(middle)} {_at(down(day.source))}V{_at(down(day.there))}")
    return [
        Markup('<path class="{}" d="{}"/>').format(name, "".join(path))
        for name, path in (("source", bars), ("differs", joints), ("there dot", dots))
        if path
    ]


def _day(
    day: DayShown, middle: float, bar: float, wide: float, down: Callable[[float], float], unit: str
) -> Markup:
    parts = []
    if day.source is not None:
        top = min(down(day.source), down(0.0))
        parts.append(
            Markup(
                '<rect class="source" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"/>'
            ).format(middle - bar / 2, top, bar, max(1.5, abs(down(day.source) - down(0.0))))
        )
    if day.there is not None:
        if day.source is not None and not math.isclose(day.source, day.there):
            parts.append(
                Markup(
                    '<line class="differs" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>'
                ).format(middle, down(day.source), down(day.there))
            )
        parts.append(
            Markup('<circle class="there" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(
                middle, down(day.there)
            )
        )
    hit = f"M{_at(middle - wide / 2)} {TOP}h{_at(wide)}v{HEIGHT - TOP - BOTTOM}h-{_at(wide)}"
    return Markup('<g><path class="hit" d="{}"/>{}<title>{}</title></g>').format(
        hit, Markup("").join(parts), _told(day, unit)
    )


def _told(day: DayShown, unit: str) -> str:
    after = f" {unit}" if unit else ""
    source = "nothing" if day.source is None else f"{words.number(day.source)}{after}"
    there = "nothing" if day.there is None else words.number(day.there)
    note = f"; {day.note}" if day.note else ""
    return f"{words.day(day.daystamp)}: the source says {source}, at Beeminder {there}{note}"


def _summary(shown: Sequence[DayShown], label: str, unit: str) -> str:
    after = f" in {unit}" if unit else ""
    differ = sum(
        1
        for day in shown
        if day.source is not None
        and day.there is not None
        and not math.isclose(day.source, day.there)
    )
    told = "" if not differ else f"; {differ} differ from what is at Beeminder"
    first, last = words.day(shown[0].daystamp), words.day(shown[-1].daystamp)
    return f"{label}{after}, {len(shown)} days from {first} to {last}{told}"


def _scale(values: Sequence[float | None]) -> tuple[float, float, float]:
    """The lowest and highest value to show, zero among them, and the step between lines."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    if high - low < SMALLEST:  # equal, or too near for a step between lines
        return 0.0, 1.0, 1.0
    rough = (high - low) / TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * nice for nice in (1, 2, 2.5, 5, 10) if size * nice >= rough * 0.999)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


def _short(value: float) -> str:
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (abs(value) >= size and value % size == 0):
            return f"{value / size:.4g}{sign}"
    return f"{value:.4g}"
