"""How a metric's value fits a goal's way of counting. Pure: facts in, a shape and words out.

Beeminder first makes one value of the points of a day (`aggday`), and adds up the days if the goal
sums (`kyoom`). We write one point for each day and feed, or one for each event. A day's total on a
goal that does not sum would read as "that is all there ever was", a level on one that does would be
added to yesterday's: both cost somebody money, so the value is sent in the shape that fits.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from db import states
from tasks.providers import ValueKind

# https://help.beeminder.com/article/97-custom-goals#aggday: with a single point in a day each of
# these gives that point's value. The others count (count, countflat), cut (cap1, satsum, skatesum),
# ask whether there is anything (binary, nonzero, unary, jolly), reckon (square, sqrt, triangle) or
# want pairs (clocky); those that came after this was written are taken for one of them.
ONE_POINT_IS_ITSELF = frozenset(
    {
        "sum",
        "last",
        "first",
        "min",
        "max",
        "mean",
        "average",
        "truemean",
        "uniqmean",
        "median",
        "mode",
        "trimmean",
    }
)

# Other spellings of a unit, by the one we compare.
SPELLINGS = {
    "%": ("percent", "pct"),
    "°c": ("c", "celsius", "degc", "deg c", "degree celsius", "degree c"),
    "°f": ("f", "fahrenheit", "degf", "deg f", "degree fahrenheit", "degree f"),
    "d": ("day",),
    "eur": ("€", "euro"),
    "g": ("gram", "gramme"),
    "h": ("hr", "hour"),
    "kg": ("kilo", "kilogram", "kilogramme"),
    "km": ("kilometer", "kilometre"),
    "kwh": ("kilowatt hour", "kilowatthour", "kw h"),
    "l": ("liter", "litre"),
    "m": ("meter", "metre"),
    "m³": ("m3", "m^3", "cubic meter", "cubic metre"),
    "min": ("minute",),
    "mwh": ("megawatt hour", "megawatthour", "mw h"),
    "pcs": ("pc", "piece"),
    "s": ("sec", "second"),
    "usd": ("$", "dollar"),
    "wh": ("watt hour", "watthour", "w h"),
}
_SPELLED = {other: unit for unit, others in SPELLINGS.items() for other in others}
_JOINTS = re.compile(r"[-·⋅]")
_LONGEST_ABBREVIATION = 2  # "ms" is a unit of its own, not several "m"


class Shape(StrEnum):
    """What of a metric is written to a goal."""

    AS_IS = "as_is"  # one point a day: the day's value
    RUNNING = states.RUNNING_TOTAL  # one point a day: the sum of the day and all before it
    DIFFERENCE = states.DIFFERENCE  # one point a day: the day's reading less the one before it
    EVENTS = "events"  # one point for each event

    @property
    def builds(self) -> bool:
        """Does what is sent of a day go on from the days before it?"""
        return self in (Shape.RUNNING, Shape.DIFFERENCE)


def builds(shape: str | None) -> bool:
    """The same of a shape by its name, as it is stored; False where none is."""
    return shape is not None and Shape(shape).builds


@dataclass(frozen=True, slots=True)
class Fit:
    """How a feed's value is sent. With a `problem` it must not be; both are sentences to show."""

    shape: Shape
    warnings: tuple[str, ...]
    problem: str | None


def fit(
    *,
    kind: ValueKind,
    kyoom: bool | None,
    aggday: str | None,
    odom: bool | None,
    feeds: int,
    accept: bool,
    unit: str | None = None,
    gunits: str | None = None,
    name: str = "USER/GOAL",
) -> Fit:
    """How a metric of this kind is sent to a goal that counts like this.

    `feeds` is how many of the goal's feeds are not stopped. `accept` is what the person says with
    `accept_aggday`: send it as it is, whatever the goal does with it. What is not known of the
    goal (None) is believed to fit. `name` stands in the advice. Beeminder's fields:
    https://api.beeminder.com/#goal
    """
    if accept:
        shape, reshaped, problem = _natural(kind), None, None
    else:
        shape, reshaped = _shape(kind, kyoom=kyoom, aggday=aggday)
        problem = _problem(kyoom=kyoom, aggday=aggday, feeds=feeds, name=name)
    warnings = (reshaped, _may_fall(kind, shape, odom=odom), units_differ(unit, gunits))
    return Fit(shape, tuple(text for text in warnings if text), problem)


def counts(*, kyoom: bool | None, aggday: str | None) -> str:
    """How a goal counts, in words."""
    day = f"the {aggday} of its points" if aggday else "not known"
    days = "not known" if kyoom is None else "added up" if kyoom else "each for itself"
    return f"a day's value is {day}; the days are {days}"


def _natural(kind: ValueKind) -> Shape:
    return Shape.EVENTS if kind == "events" else Shape.AS_IS


def _shape(kind: ValueKind, *, kyoom: bool | None, aggday: str | None) -> tuple[Shape, str | None]:
    """The shape that fits, and what is to be said about it when it is not the natural one."""
    if kyoom is None:
        return _natural(kind), None
    match kind:
        case "total":
            return (Shape.AS_IS, None) if kyoom else _running("day's total")
        case "level" | "counter":
            return _difference(kind) if kyoom else (Shape.AS_IS, None)
        case "events":
            if not kyoom:
                return _running("day's sum of its events")
            if aggday not in (None, "sum"):
                text = (
                    f"the goal makes the {aggday} of a day's points: the sum of the day's events "
                    "is sent as one point"
                )
                return Shape.AS_IS, text
            return Shape.EVENTS, None
        case _:
            assert_never(kind)


def _running(what: str) -> tuple[Shape, str]:
    text = (
        f"the goal does not add up its days and the metric is a {what}: the running total since "
        "the feed's start is sent"
    )
    return Shape.RUNNING, text


def _difference(kind: str) -> tuple[Shape, str]:
    what = "a running counter" if kind == "counter" else "a level"
    text = (
        f"the goal adds up its days and the metric is {what}: the difference of each day's reading "
        "to the one before is sent"
    )
    return Shape.DIFFERENCE, text


def _problem(*, kyoom: bool | None, aggday: str | None, feeds: int, name: str) -> str | None:
    sums = kyoom is not False and aggday in (None, "sum")
    advice = (
        f"`accept_aggday = true` in the file if that is meant, another goal, or `waggle link {name}"
        " --fix-goal`"
    )
    if feeds > 1 and not sums:
        why = "does not add up its days" if kyoom is False else f"takes a day's {aggday}"
        return (
            f"{feeds} feeds write to this goal, which {why}: their values would not be added. "
            f"It needs auto-summing and aggday sum. What helps: {advice}"
        )
    if aggday is not None and aggday not in ONE_POINT_IS_ITSELF:
        return (
            f"the goal makes of a day's points their {aggday!r} (aggday), so one point a day would "
            f"not count as its own value. What helps: {advice}"
        )
    return None


def _may_fall(kind: ValueKind, shape: Shape, *, odom: bool | None) -> str | None:
    rises = shape is Shape.RUNNING or (kind == "counter" and shape is Shape.AS_IS)
    if not odom or rises:
        return None
    return (
        "the goal is an odometer, for readings that only rise, and this value can fall; a zero "
        "would be a reset and is never sent"
    )


def units_differ(unit: str | None, gunits: str | None) -> str | None:
    """What is to be said when a source and a goal count in different units, else None."""
    source, goal = _unit(unit), _unit(gunits)
    # "kWh used" is a goal in kWh; "units" is what a goal is in when nobody said.
    if not source or not goal or goal in ("unit", source) or f" {source} " in f" {goal} ":
        return None
    return (
        f"the source counts in {unit!r} and the goal in {gunits!r}: nothing is converted unless "
        "the metric is told to (`convert_to`, where there is one)"
    )


def _unit(text: str | None) -> str:
    """One spelling of a unit: lower case, singular, the short form where we know one."""
    words = [_word(word) for word in _JOINTS.sub(" ", (text or "").lower()).split()]
    spelled = f" {' '.join(words)} "
    for other in sorted(_SPELLED, key=len, reverse=True):  # "deg c" before "c"
        spelled = spelled.replace(f" {other} ", f" {_SPELLED[other]} ")
    return spelled.strip()


def _word(word: str) -> str:
    known = word in SPELLINGS or word in _SPELLED
    if known or len(word) <= _LONGEST_ABBREVIATION or word.endswith("ss"):
        return word
    return word.removesuffix("s")
