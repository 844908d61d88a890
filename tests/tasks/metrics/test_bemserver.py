"""What a feed's file may say about a BEMServer, and what makes the id of its datapoints."""

import httpx
import pytest
from pydantic import ValidationError

from clients.gate import Open
from tasks.metrics import bemserver
from tasks.metrics.bemserver import Params, Settings
from tasks.providers import Link, MetricParams, SourceSettings


def settings(**more: str) -> Settings:
    """A source's settings."""
    facts = {"url": "https://bem.example.org/api/v0", "email": "a@example.org", "password": "pw"}
    return Settings(**(facts | more))


@pytest.mark.parametrize(
    "given",
    [
        {"timeseries": "Main"},
        {"timeseries": 1, "campaign": "Home"},
        {"timeseries": 1, "aggregation": "median"},
        {"timeseries": 1, "aggregate": "sum"},
        {"timeseries": 1, "aggregation": "sum", "counter": True},
        {},
    ],
)
def test_what_can_not_be_meant_is_refused(given: dict) -> None:
    """A name without its campaign, an unknown aggregation or key, or no series at all."""
    with pytest.raises(ValidationError):
        Params(**given)


@pytest.mark.parametrize(
    ("aggregation", "kind"),
    [
        ("sum", "total"),
        ("count", "total"),
        ("avg", "level"),
        ("min", "level"),
        ("max", "level"),
        ("last", "level"),
    ],
)
def test_totals_and_levels(aggregation: str, kind: str) -> None:
    """Sums and counts are totals of the day."""
    assert Params(timeseries=1, aggregation=aggregation).value_kind() == kind


@pytest.mark.parametrize("aggregation", ["last", "max"])
def test_a_meter_that_runs_on_is_a_counter(aggregation: str) -> None:
    """A meter's reading is no level that may fall; saying so makes other ids, silence does not."""
    meter = Params(timeseries=1, aggregation=aggregation, counter=True)
    assert meter.value_kind() == "counter"
    assert meter.counting()["counter"] is True
    assert "counter" not in Params(timeseries=1, aggregation=aggregation).counting()


def test_the_account_is_the_server_and_the_login_and_no_key() -> None:
    """It stands in every id: a new password or a slash more at the end is the same account."""
    account = settings().account()
    assert account == settings(password="other", url="https://bem.example.org/api/v0/").account()
    assert account == settings(email="A@Example.org").account()
    assert account != settings(email="b@example.org").account()
    assert "pw" not in account
    assert "pw" not in repr(settings())
    assert Settings.secrets() == {"password"}
    assert settings().open_url() == "https://bem.example.org/api/v0"


def test_settings_of_another_provider_are_refused() -> None:
    """A mistake in the table of providers is seen at once."""
    with httpx.Client() as http, pytest.raises(TypeError, match="not settings of a BEMServer"):
        bemserver.connect(
            Link(
                settings=SourceSettings(),
                http=http,
                gate=Open(),
                tokens=lambda _a: None,
                now=lambda: 0.0,
            )
        )


def test_every_counting_parameter_is_in_the_id() -> None:
    """What decides the figure decides the id; what is not given is not in it."""
    counting = Params(timeseries=1, aggregation="max", convert_to="MWh").counting()
    assert counting == {
        "timeseries": 1,
        "aggregation": "max",
        "data_state": "Clean",
        "convert_to": "MWh",
    }
    assert isinstance(Params(timeseries=1), MetricParams)
