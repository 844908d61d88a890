"""JSON of a frame: the quick parser says what `json` says, or leaves it to it."""

import json
import math

from hypothesis import example, given
from hypothesis import strategies as st

from clients.rime_frames import _parsed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
PIECES = st.lists(
    st.sampled_from([*'[]{}",:-+.eE0189 \t\n\\u/', "NaN", "Infinity", "true", "null", '"a":']),
    max_size=12,
)
NUMBERS = st.text("0123456789.eE+-", min_size=1, max_size=25)


def same(one, other):
    """Equal to the last bit, with keys in the same order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        if math.isnan(one):
            return math.isnan(other)
        return (one, math.copysign(1, one)) == (other, math.copysign(1, other))
    return one == other


def outcome(parse, text):
    """What comes of a text: a value, or none."""
    try:
        return True, parse(text)
    except (ValueError, RecursionError):
        return False, None


@given(
    text=st.builds(json.dumps, VALUES, ensure_ascii=st.booleans())
    | PIECES.map("".join)
    | NUMBERS
    | st.text(max_size=8)
)
@example(text='{"a": 1, "b": 2, "a": 3}')
@example(text="-0")
@example(text="-0.0")
@example(text="1e400")
@example(text="-NaN")
@example(text="4.9e-324")
@example(text="9007199254740993.0")
@example(text="9" * 4300)
@example(text="9" * 4301)
@example(text='"\\ud800"')
@example(text='"\\ud83d\\ude00"')
@example(text='"\ud800"')
@example(text='"\x00"')
@example(text='"\\u0000"')
@example(text="\ufeff{}")
@example(text="[" * 250 + "]" * 250)
def test_the_quick_parser_says_what_json_says(text):
    """No number, text or key is another one, and nothing is taken that was not."""
    (taken, found), (due, expected) = outcome(_parsed, text), outcome(json.loads, text)
    assert taken == due
    assert same(found, expected)
