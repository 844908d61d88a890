"""The path secret: every one that is set opens, and nothing else does."""

import hmac

import pytest

from webhooks import door
from webhooks.door import Door


@pytest.mark.parametrize(
    ("asked", "opens"),
    [("one", True), ("two", True), ("", False), ("on", False), ("one ", False), ("\udc80", False)],
)
def test_only_the_whole_secret_opens(asked, opens):
    """No prefix, no blank, no broken text."""
    assert Door(["one", "two"]).opens(asked) is opens


@pytest.mark.parametrize("asked", ["one", "two", "neither", ""])
def test_all_secrets_are_compared_every_time(asked, monkeypatch):
    """A match of the first is not told by stopping there."""
    compared = []

    class Counting:
        @staticmethod
        def compare_digest(first, second):
            compared.append(len(first) == len(second))
            return hmac.compare_digest(first, second)

    monkeypatch.setattr(door, "hmac", Counting)
    Door(["one", "two", "three"]).opens(asked)

    assert compared == [True, True, True]
