"""Every error that waits for a person says what the person can do."""

import inspect

import pytest

from clients import errors
from clients.errors import AuthFailed, Permanent
from tasks import advice
from tasks.beeminder import WHERE, ReauthorizeError

# Permanent errors as vendors are translated into; those of `tasks` bring their own words.
KINDS = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, Permanent) and value is not Permanent
]


@pytest.mark.parametrize("where", ["source plant", WHERE])
@pytest.mark.parametrize("kind", KINDS)
def test_every_permanent_error_of_a_vendor_is_advised_on(kind: type[Permanent], where: str) -> None:
    """At a source and at Beeminder; a login that Beeminder refuses has an error of its own."""
    if kind is AuthFailed and where == WHERE:
        assert "connect again" in str(ReauthorizeError("…; connect again"))
        return
    todo = advice.of(kind("x"), where=where)
    assert todo
    assert not todo.endswith(".")


def test_what_says_it_already_is_left_alone() -> None:
    """No second piece of advice behind the first, none where time mends it."""
    named = AuthFailed("refused; correct it and `waggle apply` it")
    gone = errors.NotFound("there is no goal 'x'; link another one", reason="goal_not_found")
    for error in (named, gone, ReauthorizeError("connect again"), errors.Unavailable("down")):
        assert advice.of(error, where="source plant") is None
