"""The public names of the package."""

import clients
from clients import errors


def test_sorted_and_there():
    """The list of public names is sorted, without repeats, and each name exists."""
    assert clients.__all__ == sorted(set(clients.__all__))
    assert all(hasattr(clients, name) for name in clients.__all__)


def test_nothing_forgotten():
    """Every error and every class that the package imports is public."""
    kinds = {
        name
        for name, value in vars(clients).items()
        if isinstance(value, type) and not name.startswith("_")
    }
    tree = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert kinds == set(clients.__all__)
    assert tree <= kinds
