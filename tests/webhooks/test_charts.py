"""Charts: right in proportion, readable without eyes, and never more than text of a source."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webhooks import charts
from webhooks.charts import DayShown

VALUES = st.none() | st.floats(-1e12, 1e12)


def day(number, source=None, there=None, note=""):
    """The nth of November."""
    return DayShown(daystamp=f"202611{number:02}", source=source, there=there, note=note)


def parsed(svg):
    """The chart as the browser reads it."""
    return ET.fromstring(svg)  # noqa: S314 -- our own output


def marks(svg, tag, kind):
    """All marks of a kind, as the browser reads them."""
    return [each for each in parsed(svg).iter(tag) if each.get("class") == kind]


def test_bars_are_as_long_as_their_values():
    """Twice the value is twice the bar, and a zero is still seen."""
    bars = marks(charts.days([day(1, 2.0), day(2, 4.0), day(3, 0.0)], label="km"), "rect", "source")
    one, two, none = (float(bar.get("height")) for bar in bars)

    assert two == pytest.approx(2 * one, rel=0.01)
    assert 0 < none < 3


def test_a_value_that_differs_is_joined_to_what_is_there():
    """Equal values need no line; a day without a value has no mark at all."""
    svg = charts.days([day(1, 2.0, 2.0), day(2, 4.0, 3.0), day(3)], label="km")

    assert len(marks(svg, "line", "differs")) == 1
    assert len(marks(svg, "circle", "there")) == 2
    assert len(marks(svg, "rect", "source")) == 2


def test_it_can_be_read_without_being_seen():
    """What it shows, how many days differ, and each day with its figures and its note."""
    svg = charts.days([day(1, 2.0, 2.0), day(2, 4.0, 3.0, "landed 14:05")], label="Run", unit="km")
    told = [each.text for each in parsed(svg).iter("title")]

    assert (
        told[0]
        == "Run in km, 2 days from 2026-11-01 to 2026-11-02; 1 differ from what is at Beeminder"
    )
    assert "2026-11-02: the source says 4 km, at Beeminder 3; landed 14:05" in told


def test_names_are_only_text():
    """What a source calls its things ends no tag and starts no script."""
    hostile = "</title><script>alert(1)</script>"
    for svg in (
        charts.days([day(1, 2.0, note=hostile)], label=hostile, unit=hostile),
        charts.spark([1.0], label=hostile),
    ):
        assert "<script" not in svg
        assert not list(parsed(svg).iter("script"))


def test_nothing_makes_no_chart():
    """An empty frame would look like a fault."""
    assert charts.days([], label="km") == ""
    assert charts.spark([None, None], label="km") == ""
    assert charts.spark([], label="km") == ""


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=400))
def test_whatever_the_values_everything_stands_inside(pairs):
    """Any values, any number of days: it is XML, and no mark is outside the frame."""
    shown = [DayShown(daystamp="20261101", source=one, there=two) for one, two in pairs]
    svg = charts.days(shown, label="km")
    root = parsed(svg)

    for each in root.iter():
        for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy"):
            at = float(each.get(name, "0"))
            assert -1 <= at <= (charts.WIDTH if "x" in name else charts.HEIGHT) + 1
    assert not re.search(r"nan|inf", svg)


@example([5e-324])
@given(st.lists(VALUES, max_size=40))
def test_sparks_stand_inside_as_well(values):
    """Likewise the small ones."""
    svg = charts.spark(values, label="km")
    if not svg:
        return
    path = parsed(svg)[1].get("d")
    foot = re.match(r"M0 (\d+)V", path)[1]
    ends = re.findall(r"V(-?\d+)h1", path)
    assert len(ends) == len(values)
    for end, value in zip(ends, values, strict=True):
        assert 0 <= int(end) <= charts.SPARK_HEIGHT
        assert (end == foot) == (value is None)  # a zero is no hole


def bars(svg):
    """Left, top, width and height of each bar that stands in a path."""
    paths = " ".join(each.get("d") for each in parsed(svg).iter("path"))
    found = re.findall(r"M(\S+?) (\S+?)h([\d.]+)v([\d.]+)h-[\d.]+z", paths)
    return [tuple(float(number) for number in each) for each in found]


def test_a_quarter_of_a_year_is_a_few_marks():
    """Every bar, dot and difference is there, in little more room than three weeks take."""
    weeks = charts.days([day(1, 2.0, 3.0, "landed")] * 20, label="km")
    quarter = charts.days([day(1, 2.0, 3.0, "landed")] * 90, label="km")

    assert len(bars(quarter)) == 90
    (joints,), (dots,) = marks(quarter, "path", "differs"), marks(quarter, "path", "there dot")
    assert joints.get("d").count("M") == dots.get("d").count("M") == 90
    assert len(quarter) < 1.5 * len(weeks)
