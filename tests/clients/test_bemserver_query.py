"""Questions to BEMServer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients import bemserver_query
from clients.bemserver_query import ById, ByName


def params(selector=ById((1,)), start=0.0, end=1.0, convert_to=None):  # noqa: B008  # frozen
    return bemserver_query.range_params(selector, start, end, 1, convert_to)


def test_instants_are_written_in_utc():
    """Times go out with Z, so no plus sign can turn into a space; fractions are kept."""
    asked = params(start=1577836800.0, end=1577836800.25)
    assert asked["start_time"] == "2020-01-01T00:00:00Z"
    assert asked["end_time"] == "2020-01-01T00:00:00.250000Z"


def test_each_series_once():
    """A series that is named twice is asked for once, in the first place."""
    assert ById((2, 1, 2)).keys == ("2", "1")
    assert ByName(1, ("b", "a", "b")).keys == ("b", "a")


def test_units():
    """One unit serves all series; a list has one for each."""
    assert "convert_to" not in params()
    assert params(ById((1, 2)), convert_to="MJ")["convert_to"] == ["MJ", "MJ"]
    assert params(ById((1, 2)), convert_to=["MJ", ""])["convert_to"] == ["MJ", ""]
    with pytest.raises(ValueError, match="convert_to"):
        params(ById((1, 2)), convert_to=["MJ"])


def test_nothing_asked():
    """No series is a mistake of the caller: the server would answer 422."""
    with pytest.raises(ValueError, match="no timeseries"):
        params(ById(()))


@given(
    start=st.integers(-(10**9), 10**9),
    length=st.integers(0, 10**6),
    width=st.integers(10**4, 10**7),
)
def test_parts_cover_the_time_once(start, length, width):
    """The parts touch, do not overlap, and end where the whole ends."""
    found = list(bemserver_query.parts(start, start + length, width))
    assert [end for _, end in found[:-1]] == [begin for begin, _ in found[1:]]
    assert all(0 < end - begin <= width for begin, end in found)
    assert (found[0][0], found[-1][1]) == (start, start + length) if length else found == []


def test_parts_need_a_width():
    """A width of nothing would never end."""
    with pytest.raises(ValueError, match="more than zero"):
        list(bemserver_query.parts(0, 1, 0))
