"""The table of providers: ours, and those of installed packages, all of one shape."""

import dataclasses
from importlib.metadata import EntryPoint

import pytest
from pydantic import SecretStr

from clients.errors import AuthFailed, NotFound, Unavailable
from clients.gate import ClosedError
from tasks import providers
from tasks.providers import Grant, MetricParams, Provider, Reading, Request, SourceSettings


class Settings(SourceSettings):
    """Settings with secrets of both spellings."""

    url: str
    key: SecretStr
    other: SecretStr | None = None


def test_every_provider_describes_itself() -> None:
    """Names agree, each metric has words and parameters, and unknown keys are refused."""
    for name, provider in providers.table().items():
        assert provider.name == name
        assert provider.title
        assert issubclass(provider.settings, SourceSettings)
        assert provider.settings.model_config["extra"] == "forbid"
        for metric_name, metric in provider.metrics.items():
            assert metric.name == metric_name
            assert metric.description
            assert issubclass(metric.params, MetricParams)
            assert metric.params.model_config["extra"] == "forbid"


def test_a_package_may_add_a_provider_and_replace_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point joins the table; one with a name of ours does not win."""
    ours = providers.table()["bemserver"]
    made = [dataclasses.replace(ours, name="plugin"), dataclasses.replace(ours, title="Fake")]

    class Point(EntryPoint):
        def load(self) -> Provider:
            """The provider of this point's number."""
            return made[int(self.value)]

    points = [Point(name=f"p{n}", value=f"{n}", group=providers.ENTRY_POINT_GROUP) for n in (0, 1)]
    monkeypatch.setattr(
        providers, "entry_points", lambda group: points if group == "waggle.providers" else []
    )

    table = providers.table()

    assert set(table) == {*providers.table(), "plugin"}
    assert table["bemserver"].title == ours.title


def test_secrets_are_known_by_their_type() -> None:
    """What is a SecretStr is a secret, also where it may be left out."""
    assert Settings.secrets() == {"key", "other"}
    assert SourceSettings().open_url() is None


def test_a_grant_does_not_show_its_tokens() -> None:
    """Logged by accident it shows when it ends, and nothing else."""
    assert "canary" not in repr(Grant("canary-a", "canary-r", 1.0))


@pytest.mark.parametrize("error", [ClosedError("wait"), NotFound("gone"), Unavailable("silent")])
def test_one_of_many_fails_alone_when_each_is_asked_for(error: Exception) -> None:
    """The middle one of three meets a closed gate or an error: the others have their readings."""
    requests = [Request(key=n, metric="m", params=MetricParams(), days=(), now=0) for n in range(3)]

    def ask(request: Request) -> dict[str, Reading]:
        if request.key == 1:
            raise error
        return {"20261120": Reading(float(request.key))}

    answers = providers.one_by_one(requests, ask)

    assert answers == {0: {"20261120": Reading(0.0)}, 1: error, 2: {"20261120": Reading(2.0)}}


def test_a_refused_login_is_not_tried_for_each_feed() -> None:
    """It is of the whole source: raised at the first one, so that nobody is locked out."""
    requests = [Request(key=n, metric="m", params=MetricParams(), days=(), now=0) for n in range(3)]
    asked = []

    def ask(request: Request) -> dict[str, Reading]:
        asked.append(request.key)
        raise AuthFailed("no")

    with pytest.raises(AuthFailed):
        providers.one_by_one(requests, ask)
    assert asked == [0]
