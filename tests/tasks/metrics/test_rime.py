"""What a feed's file may say about RIME, and what makes the id of its datapoints."""

import httpx
import pytest
from pydantic import ValidationError

from clients.gate import Open
from tasks import providers
from tasks.metrics import rime
from tasks.metrics.rime import PROVIDER, Params
from tasks.providers import Link, Looks, SourceSettings

METRICS = ("rows_extracted", "runs_succeeded", "runs_failed", "run_minutes")


def test_the_provider_is_in_the_table() -> None:
    """With the four metrics, each of them a total of past days as well."""
    assert providers.table()["rime"] is PROVIDER
    assert tuple(PROVIDER.metrics) == METRICS
    assert all(metric.history and metric.kind == "total" for metric in PROVIDER.metrics.values())
    assert Params(connector="c").value_kind() == "total"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"connector": "c", "pipeline": "p"},
        {"connector": "../p"},
        {"connector": ".."},
        {"connector": "a/b"},
        {"pipeline": " "},
        {"connector": True},
        {"connector": "c", "run": "r"},
    ],
)
def test_what_can_not_be_meant_is_refused(given: dict) -> None:
    """Neither or both, an id that leads elsewhere, and what is no id."""
    with pytest.raises(ValidationError):
        Params(**given)


def test_what_is_counted_is_in_the_id() -> None:
    """The connector or the pipeline, by its id alone; a number is an id as well."""
    assert Params(connector="c1").counting() == {"connector": "c1"}
    assert Params(pipeline=7).counting() == {"pipeline": "7"}
    assert Params(connector=" c1 ").counting() == {"connector": "c1"}


def test_settings_of_another_provider_are_refused() -> None:
    """A mistake in the table of providers is seen at once."""
    with httpx.Client() as http, pytest.raises(TypeError, match="not settings of RIME"):
        rime.connect(
            Link(
                settings=SourceSettings(),
                http=http,
                gate=Open(),
                tokens=lambda _a: None,
                now=lambda: 0.0,
            )
        )


def test_a_connection_asks_nothing_before_it_is_used() -> None:
    """With a key it needs no tokens, with a login it logs in later; it can look around."""
    lent = []
    for way in ({"api_key": "k"}, {"email": "a@x.test", "password": "p"}):
        with httpx.Client() as http:
            made = rime.connect(
                Link(
                    settings=PROVIDER.settings(tenant="acme", project="p", **way),
                    http=http,
                    gate=Open(),
                    tokens=lent.append,
                    now=lambda: 0.0,
                )
            )
        assert isinstance(made, Looks)
    assert len(lent) == 1
