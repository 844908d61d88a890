"""`waggle doctor --callback` on a running house: Beeminder's own call is seen to arrive."""

import json

import pytest

from tests.blackbox.house import House

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(120)]


def test_a_callback_is_followed_from_beeminder_to_the_answer(home: House) -> None:
    """The house is asked by the simulated Beeminder itself, and the goal is fresh after it."""
    home.run("apply", str(home.declare("energy")))
    home.up()

    done = home.run("doctor", "--callback", "alice/energy", "--timeout", "30", "--json")

    found = {each["what"]: each for each in json.loads(done.stdout)}
    assert {each["state"] for each in found.values()} == {"ok"}
    assert list(found)[-2:] == ["callback", "answer"]
    (value,) = home.ours("energy").values()
    assert value == pytest.approx(2.5)
