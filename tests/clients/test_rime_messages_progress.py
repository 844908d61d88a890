"""How far a run is, in every usual form, and what is none."""

import pytest

from clients.rime_messages import message
from clients.rime_models import ALIASES


@pytest.mark.parametrize(
    ("level", "fraction", "rows"),
    [
        ({"progress": 0}, 0.0, None),
        ({"progress": 0.5}, 0.5, None),
        ({"progress": 1.0}, 1.0, None),
        ({"progress": 1}, None, None),
        ({"progress": 2}, 0.02, None),
        ({"progress": 100}, 1.0, None),
        ({"progress": 101}, None, 101.0),
        ({"progress": 101.5}, None, None),
        ({"progress": 5000, "rows": 7}, None, 7.0),
        ({"progress": -1}, None, None),
        ({"progress": True}, None, None),
        ({"progress": "50"}, None, None),
        ({"progress": float("nan")}, None, None),
        ({"progress": float("inf")}, None, None),
        ({"progress": 10**400}, None, None),
        ({"progress": {"value": 1, "max": 4}}, 0.25, None),
        ({"progress": {"completed": 3, "total": 4, "rows": 9}}, 0.75, 9.0),
        ({"progress": {"percent": 40}}, 0.4, None),
        ({"percent": 1}, 0.01, None),
        ({"percent": 250}, 1.0, None),
        ({"percent": -5}, None, None),
        ({"value": 5, "max": 4}, 1.0, None),
        ({"current": 1, "total": 0}, None, None),
        ({"current": 10**400, "total": 1}, None, None),
        ({"completed": True, "total": 4}, None, None),
        ({"rows": [1, 2], "total": 2}, None, None),
        ({"rows": -5}, None, None),
        ({"rows": 1e16}, None, None),
        ({"rows": 0}, None, 0.0),
    ],
)
def test_how_far(level, fraction, rows):
    """Shares, percent and pairs; what is impossible is not told, and never a zero."""
    found = message({"run_id": "r1", **level})
    assert (found.fraction, found.rows) == (fraction, rows)


@pytest.mark.parametrize("name", ALIASES["rows"])
def test_rows_are_called_as_in_a_run(name):
    """The names of the API are tried here too."""
    assert message({"data": {name: 4}}).rows == 4
