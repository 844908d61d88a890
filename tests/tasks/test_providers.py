"""The table of providers: ours, and those of installed packages, all of one shape."""

import dataclasses
from importlib.metadata import EntryPoint

import pytest
from pydantic import SecretStr

from tasks import providers
from tasks.providers import Grant, MetricParams, Provider, SourceSettings


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
