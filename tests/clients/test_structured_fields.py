"""Structured fields are read as RFC 9651 says, or not at all."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clients.structured_fields import items, members, whole

LINES = st.lists(
    st.text(max_size=40)
    | st.text(string.digits + ' ";=,:@?%-.()*abqrtw\\', max_size=40)
    | st.sampled_from(['"a";q=1', "a=1, b;w=2", "(a b);c"])
)


def test_items():
    """Strings, tokens and integers are told with their parameters; inner lists are left out."""
    found = list(items(['"a b";q=1, (c d);w=2, tok;x="y"', "10;w=1;k=:YQ==:"]))
    assert [(str(value), dict(parameters)) for value, parameters in found] == [
        ("a b", {"q": 1}),
        ("tok", {"x": "y"}),
        ("10", {"w": 1, "k": b"a"}),
    ]


def test_members():
    """A dictionary is told without its parameters; a member named twice is the last one."""
    assert members(["limit=100, reset=5;x", "reset=7"]) == {"limit": 100, "reset": 7}


@pytest.mark.parametrize("line", ['"a";', "a b", "a,", '"ä"', "٣", '"a', "@1.5", "\x00"])
def test_malformed_lines_are_nothing(line):
    """A line that does not parse is left out whole, and alone."""
    assert list(items([f'"good", {line}'])) == []
    assert [value for value, _ in items([line, '"good"'])] == ["good"]
    assert members([f"good=1, {line}"]) == {}


@pytest.mark.parametrize(
    ("line", "expected"),
    [("5", 5), ("0", 0), ("-1", None), ("1.5", None), ("?1", None), ('"5"', None), ("@5", None)],
)
def test_whole(line, expected):
    """Only a non-negative Integer counts things: no Boolean, no Decimal, no Date."""
    assert [whole(value) for value, _ in items([line])] == [expected]


@given(lines=LINES)
@example(lines=["@999999999999999"])
@example(lines=["12345678901234.5"])
@example(lines=['%"%ff"'])
@example(lines=["9" * 5000])
def test_total(lines):
    """Nothing that stands in a header raises."""
    assert all(isinstance(parameters, dict) for _, parameters in items(lines))
    assert all(isinstance(name, str) for name in members(lines))
