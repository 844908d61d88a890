"""What a provider says of itself: each slip in it is told by its name."""

import dataclasses
import itertools

import pytest
from pydantic import ConfigDict, Field, SecretStr

from tasks.limits import Quota
from tasks.providers import Metric
from tests.worker.kit.sample import PROVIDER, TRIAL, Params, Settings, played
from worker.kit import shape

_count = itertools.count()


class Loose(Settings):
    """Takes any key."""

    model_config = ConfigDict(extra="ignore")


class Undescribed(Settings):
    """A setting without words."""

    room: str = ""


class PlainToken(Settings):
    """A secret that is stored as it is."""

    access_token: str = Field("", description="token")


class Forgets(Settings):
    """A secret that `secrets()` does not name."""

    @classmethod
    def secrets(cls):
        """Nothing is secret."""
        return frozenset()


class KeyAccount(Settings):
    """The key is the account."""

    def account(self):
        """Address and key."""
        return f"{self.url}|{self.key.get_secret_value()}"


class HashedAccount(Settings):
    """Something of the key is in the account."""

    def account(self):
        """Address and length."""
        return f"{self.url}|{self.key.get_secret_value()[-1]}"


class NewAccount(Settings):
    """Another account each time."""

    def account(self):
        """A number."""
        return str(next(_count))


class NoAccount(Settings):
    """No account."""

    def account(self):
        """Nothing."""


class NoQuotas(Settings):
    """Nobody counts."""

    def quotas(self):
        """None."""
        return ()


class TellingQuota(Settings):
    """The key is the title of what is counted."""

    def quotas(self):
        """One."""
        return (Quota(account="a", title=self.key.get_secret_value()),)


class Tuples(Params):
    """Parameters that JSON has no word for."""

    def counting(self):
        """A set."""
        return {"thing": {self.thing}}


class Lists(Params):
    """What comes back from JSON is a list."""

    def counting(self):
        """A tuple."""
        return {"thing": (self.thing,)}


class Kindless(Params):
    """A kind that there is not."""

    def value_kind(self):
        """Neither total nor level."""
        return "sum"


METRIC = PROVIDER.metrics["thing"]
SLIPS = {
    "name": (shape.names_agree, {"name": "My Source"}, "the name 'My Source'"),
    "title": (shape.names_agree, {"title": ""}, "no title"),
    "metrics": (shape.names_agree, {"metrics": {}}, "no metrics"),
    "connect": (shape.names_agree, {"connect": None}, "can't be called"),
    "base": (shape.names_agree, {"settings": Params}, "no subclass of SourceSettings"),
    "metric": (shape.names_agree, {"metrics": {"x": METRIC}}, "'thing' stands under 'x'"),
    "words": (shape.everything_is_described, {"settings": Undescribed}, "room has no"),
    "keys": (shape.unknown_keys_are_refused, {"settings": Loose}, "that they don't know"),
    "plain": (shape.secrets_are_secret, {"settings": PlainToken}, "sounds like a secret"),
    "unnamed": (shape.secrets_are_secret, {"settings": Forgets}, "does not name key"),
    "secret": (shape.the_account_stays, {"settings": KeyAccount}, "holds the secret key"),
    "changes": (shape.the_account_stays, {"settings": HashedAccount}, "with the secret key"),
    "each time": (shape.the_account_stays, {"settings": NewAccount}, "another one each time"),
    "none": (shape.the_account_stays, {"settings": NoAccount}, "not a text"),
    "quotas": (shape.quotas_are_told, {"settings": NoQuotas}, "names nobody"),
    "told": (shape.quotas_are_told, {"settings": TellingQuota}, "holds a secret"),
}


def test_each_promise_is_kept_by_the_sample() -> None:
    """Nothing is told of what is right."""
    assert [played(promise).problems for promise in shape.PROMISES] == [()] * 7


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told(slip) -> None:
    """One thing is wrong, and that is what is said."""
    promise, changed, says = SLIPS[slip]
    outcome = played(promise, dataclasses.replace(PROVIDER, **changed))
    assert any(says in problem for problem in outcome.problems), outcome.problems


@pytest.mark.parametrize(
    ("params", "says"),
    [(Tuples, "no plain JSON"), (Lists, "another one"), (Kindless, "value_kind() is 'sum'")],
    ids=["set", "tuple", "kind"],
)
def test_parameters_that_are_not_plain_are_told(params, says) -> None:
    """They stand in the ledger and in every id: what comes back must be the same."""
    metric = dataclasses.replace(METRIC, params=params)
    provider = dataclasses.replace(PROVIDER, metrics={"thing": metric})
    assert says in played(shape.parameters_are_plain, provider, TRIAL).problems[0]


def test_a_metric_without_words_is_told() -> None:
    """`waggle metrics` would show an empty line."""
    metric = Metric(name="thing", description="", params=Params, kind="")
    provider = dataclasses.replace(PROVIDER, metrics={"thing": metric})
    assert played(shape.everything_is_described, provider).state == "broken"
    assert "which kind" in played(shape.names_agree, provider).problems[0]


def test_an_exception_of_a_stranger_is_a_line() -> None:
    """Code that raises where it is asked about itself is told with its place."""

    class Raises(Settings):
        def account(self):
            """Not written yet."""
            return {}["account"]

    outcome = played(shape.the_account_stays, dataclasses.replace(PROVIDER, settings=Raises))
    assert outcome.problems[0].startswith("KeyError: 'account' (test_shape.py:")


def test_optional_secrets_are_found() -> None:
    """A secret that may be left out is one."""

    class Optional(Settings):
        token: SecretStr | None = Field(None, description="token")

    provider = dataclasses.replace(PROVIDER, settings=Optional)
    assert played(shape.secrets_are_secret, provider).state == "ok"
