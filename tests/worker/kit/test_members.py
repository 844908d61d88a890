"""Which members are left out of an answer, and which are data."""

import json

import pytest

from worker.kit import members


def told(document, rows=()):
    """What is left out, and what is left."""
    found = members.without_each(json.dumps(document).encode(), rows)
    return {how: json.loads(body) for how, body in found}


def test_each_member_is_left_out_and_is_null_in_turn():
    """Also those of members and of items; a list keeps its items."""
    assert told({"a": {"b": 1}, "c": [{"d": 2}]}) == {
        "without /a": {"c": [{"d": 2}]},
        "with null at /a": {"a": None, "c": [{"d": 2}]},
        "without /a/b": {"a": {}, "c": [{"d": 2}]},
        "with null at /a/b": {"a": {"b": None}, "c": [{"d": 2}]},
        "without /c": {"a": {"b": 1}},
        "with null at /c": {"a": {"b": 1}, "c": None},
        "without /c/0/d": {"a": {"b": 1}, "c": [{}]},
        "with null at /c/0/d": {"a": {"b": 1}, "c": [{"d": None}]},
    }


def test_the_same_member_of_all_items_goes_alone_and_together():
    """A vendor that renames a field renames it everywhere."""
    found = told([{"v": 1}, {"v": 2}])
    assert found["without /0/v"] == [{}, {"v": 2}]
    assert found["without /0/v, and 1 like it"] == [{}, {}]
    assert found["without /1/v"] == [{"v": 1}, {}]


def test_data_stay():
    """What the trial calls rows may be fewer on any day."""
    found = told({"7": {"2026-11-20T00:00:00Z": 1}, "unit": "kWh"}, rows=[r"/\d+", r"/\d+/.+"])
    assert list(found) == ["without /unit", "with null at /unit"]


def test_many_members_are_not_all_tried():
    """A large answer ends, and each kind of member is among what was tried."""
    found = told([{"a": 1, "b": 2} for _ in range(members.MOST)])
    assert len(found) == 2 * members.MOST
    assert "without /0/b" in found


@pytest.mark.parametrize("body", [b"", b"Datetime,1\n", b"17", b"[]"])
def test_what_has_no_members_is_left_alone(body):
    """Nothing to leave out, and no error."""
    assert list(members.without_each(body, ())) == []


def test_names_are_escaped_in_pointers():
    """A rule of a trial is a pointer of RFC 6901."""
    assert members.pointer(("a/b", 0, "m~n")) == "/a~1b/0/m~0n"
    assert members.all_rows({"a": 1, "b": 2}, ["/[ab]"])
    assert not members.all_rows({"a": 1, "c": 2}, ["/[ab]"])
    assert not members.all_rows([1], ["/0"])
