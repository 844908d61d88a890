"""Values of Beeminder that can't be wrong from the start."""

import math

import pytest

from clients.beeminder_models import NewDatapoint, Token


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_values_are_finite(value):
    """What is no number is refused before it can be sent."""
    with pytest.raises(ValueError, match="finite"):
        NewDatapoint(value=value, requestid="r")


@pytest.mark.parametrize(
    "wrong",
    [
        {"requestid": ""},
        {"daystamp": "2026-01-20"},
        {"daystamp": "20260120\n"},
        {"daystamp": ""},
        {"daystamp": "20260120", "timestamp": 1},
    ],
)
def test_points_are_well_formed(wrong):
    """A point without requestid, with an odd day or with two times is refused."""
    with pytest.raises(ValueError, match=r"datapoint|daystamp"):
        NewDatapoint(**{"value": 1, "requestid": "r", **wrong})


def test_fields_of_a_point():
    """Only the given time is among the fields; zero is a time like any other."""
    assert NewDatapoint(value=1, requestid="r").fields() == {
        "value": 1,
        "requestid": "r",
        "comment": "",
    }
    assert NewDatapoint(value=1, requestid="r", timestamp=0).fields()["timestamp"] == 0


@pytest.mark.parametrize(
    ("kind", "value"), [("other", "x"), ("oauth", ""), ("oauth", "canary\n"), ("oauth", "canäry")]
)
def test_tokens_are_checked(kind, value):
    """A token that could not be sent is refused without being quoted."""
    with pytest.raises(ValueError, match="Beeminder token") as caught:
        Token(kind, value)
    assert "can" not in str(caught.value)


def test_repr_hides_the_token():
    """A token may be printed."""
    assert "canary" not in repr(Token("oauth", "canary"))
