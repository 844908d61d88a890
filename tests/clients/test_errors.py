"""The error tree."""

import inspect
import pickle

import pytest

from clients import errors

TREE = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]
LEAVES = [kind for kind in TREE if not any(kind in other.__bases__ for other in TREE)]


@pytest.mark.parametrize("kind", TREE)
def test_one_root(kind):
    """No error escapes `except ClientError`."""
    assert issubclass(kind, errors.ClientError)


@pytest.mark.parametrize("kind", LEAVES)
def test_one_branch(kind):
    """Each error says what to do next: exactly one of try again and stop."""
    assert issubclass(kind, errors.Transient) != issubclass(kind, errors.Permanent)


def test_drawn_in_the_docstring():
    """Whoever reads the module sees every class in the drawing."""
    assert all(kind.__name__ in errors.__doc__ for kind in TREE)


@pytest.mark.parametrize("kind", LEAVES)
def test_facts_ride_along(kind):
    """An error keeps its facts and reads as its message."""
    error = kind("Vendor said no", status=418, request_id="r-1", details={"a": 1})
    assert str(error) == error.message == "Vendor said no"
    assert (error.status, error.request_id, error.details) == (418, "r-1", {"a": 1})
    assert error.reason
    assert kind("x", reason="else").reason == "else"


@pytest.mark.parametrize("kind", LEAVES)
def test_survives_pickling(kind):
    """A task runner may carry an error between processes."""
    error = pickle.loads(pickle.dumps(kind("no", reason="timeout", status=503)))  # noqa: S301  # our own bytes
    assert (type(error), str(error), error.reason, error.status) == (kind, "no", "timeout", 503)
