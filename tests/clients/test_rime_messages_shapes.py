"""Which of the usual names an object has: the same as if all of them were tried."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clients import rime_messages_shapes as shapes
from clients.rime_messages_kinds import NAMES
from clients.rime_messages_progress import first
from clients.rime_messages_shapes import shape
from clients.rime_models import ALIASES

USUAL = (
    *(*shapes.CONTENT, *NAMES, *shapes.INNER, *ALIASES["id"]),
    *(name for names in (*shapes.PLACES.values(), *shapes.PAIRS) for name in names),
)
KEYS = st.sampled_from(sorted(set(USUAL))) | st.text(max_size=3)
LEVELS = st.dictionaries(KEYS, st.none() | st.integers(0, 9), max_size=12)
# Each kind of names in a shape, and all that it could hold.
WHOLE = {
    "inner": shapes.INNER,
    "kinds": NAMES,
    "own": shapes.OWN,
    "status": ALIASES["status"],
    "rows": ALIASES["rows"],
    "percent": shapes.PERCENT,
    "steps_done": shapes.STEPS_DONE,
    "steps_total": shapes.STEPS_TOTAL,
    "lists": shapes.LISTS,
}


@pytest.fixture(autouse=True)
def _none_known():
    """Each test learns by itself."""
    shapes._KNOWN.clear()
    yield
    shapes._KNOWN.clear()


@given(levels=st.lists(LEVELS, min_size=1, max_size=4))
@example(levels=[{}])
@example(levels=[{"rows": None, "total_rows": 4}, {"total_rows": 4, "rows": None}])
@example(levels=[{f"k{number}": 1 for number in range(40)} | {"status": 1, "id": None}])
@example(levels=[{"k" * 600: 1, "status": None, "state": 2}])
def test_a_shape_leaves_out_only_what_is_not_there(levels):
    """Looking under its names finds what looking under all names finds, nulls or not."""
    for level in levels * 2:  # new, and known
        found = shape(level)
        for kind, names in WHOLE.items():
            assert first(level, getattr(found, kind)) == first(level, names), kind
            assert list(getattr(found, kind)) == [name for name in names if name in level]
        values = {ours: level[name] for ours, name in found.places if level[name] is not None}
        expected = {ours: first(level, names) for ours, names in shapes.PLACES.items()}
        assert values == {ours: value for ours, value in expected.items() if value is not None}
        whole = [pair for pair in shapes.PAIRS if pair[0] in level and pair[1] in level]
        assert list(found.pairs) == whole
        assert found.content == any(name in level for name in shapes.CONTENT)
        assert found.single == (len(level) == 1)


def test_ever_new_keys_fill_no_memory():
    """So many shapes are kept, and none of them is large."""
    for number in range(1000):
        shape({f"k{number}": 1})
    assert len(shapes._KNOWN) <= 256
    shapes._KNOWN.clear()
    shape({f"k{number}": 1 for number in range(33)})
    shape({"k" * 513: 1})
    assert shapes._KNOWN == {}
    assert shape({"rows": 1}) is shape({"rows": 2})
