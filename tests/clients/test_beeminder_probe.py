"""A probe hears refusals, and can't ask for anything that costs somebody."""

import pytest

from clients import errors
from clients.beeminder import BeeminderClient
from clients.beeminder_models import Token
from clients.beeminder_probe import BeeminderProbe
from simulators.faults import Fault
from tests.world import TOKEN, World


def probe(world: World, token: str = TOKEN) -> BeeminderProbe:
    """A probe of the simulated Beeminder."""
    return BeeminderProbe(
        http=world.http, token=Token("personal", token), base_url=world.beeminder_server.url
    )


def test_a_refusal_is_an_answer(world: World) -> None:
    """Status and body of what is refused are what is asked for."""
    heard = probe(world, "nobodys").hear("GET", "users/me")
    assert heard.status == 401
    assert "errors" in heard.body
    path = "users/me/goals/energy/datapoints"
    assert probe(world).hear("POST", path, {"value": "x"}).status == 422
    assert probe(world).hear("GET", "users/me/goals/nothing").status == 404


def test_an_outage_says_nothing(world: World) -> None:
    """It is no answer to the question."""
    world.beeminder.faults.add(Fault(path="users/me", status=503, times=None))
    with pytest.raises(errors.Unavailable):
        probe(world).hear("GET", "users/me")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "charges"),
        ("POST", "users/me/goals/energy/shortcircuit"),
        ("POST", "users/me/goals/energy/uncleme"),
        ("POST", "users/me/goals/energy/ratchet"),
        ("POST", "users/me/goals"),
        ("GET", "users/bob/goals/energy"),
    ],
)
def test_what_costs_somebody_can_not_be_asked(world: World, method: str, path: str) -> None:
    """It never leaves, and it is not in the list of the usual client either."""
    with pytest.raises(Exception, match=r"(?i)allow|not "):
        probe(world).hear(method, path, {"value": 1})
    kinds = {(method, pattern.pattern) for method, pattern in BeeminderProbe.allowed}
    assert len(kinds) <= len(BeeminderClient.allowed)
    assert world.beeminder.faults.count("charges", "POST") == 0
