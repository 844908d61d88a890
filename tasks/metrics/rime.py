"""What can be counted at RIME: rows, runs and minutes of a connector or a pipeline on a day."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from clients import rime_auth
from clients.bearer import TokenSource
from clients.rime import RimeClient
from tasks.metrics import rime_checks
from tasks.metrics.rime_history import History, Place
from tasks.metrics.rime_reader import Reader
from tasks.metrics.rime_settings import Settings
from tasks.providers import (
    LOGIN_SECONDS,
    Authenticate,
    Grant,
    Link,
    Metric,
    MetricParams,
    Provider,
    ValueKind,
)

TOGETHER = 10  # feeds often share a list of runs, and a list may be long


class Params(MetricParams):
    """Whose runs are counted."""

    connector: str | None = Field(None, description="id of the connector")
    pipeline: str | None = Field(None, description="id of the pipeline, instead of `connector`")

    def value_kind(self) -> ValueKind:
        """What happened on the day."""
        return "total"

    def place(self) -> Place:
        """The connector or the pipeline."""
        if self.connector is not None:
            return Place("connector", self.connector)
        return Place("pipeline", self.pipeline or "")

    @field_validator("connector", "pipeline", mode="before")
    @classmethod
    def _numbers_are_ids(cls, given: object) -> object:
        return str(given) if isinstance(given, int) and not isinstance(given, bool) else given

    @field_validator("connector", "pipeline")
    @classmethod
    def _is_an_id(cls, given: str | None) -> str | None:
        return None if given is None else rime_checks.id_of(given)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.connector is None) == (self.pipeline is None):
            message = "give either `connector` or `pipeline`, the id of whose runs are counted"
            raise ValueError(message)
        return self


def connect(link: Link) -> Reader:
    """A reader for one project; with a login it logs in when it is first used."""
    settings = link.settings
    if not isinstance(settings, Settings):
        message = f"{type(settings).__name__} are not settings of RIME"
        raise TypeError(message)
    credentials: TokenSource | str
    if settings.api_key is not None:
        credentials = settings.api_key.get_secret_value()
    else:
        credentials = link.tokens(_login(link, settings))
    client = RimeClient(
        http=link.http,
        base_url=settings.base_url(),
        credentials=credentials,
        fields=settings.fields(),
        connector_runs_path=settings.connector_runs_path,
        pipeline_runs_path=settings.pipeline_runs_path,
        gate=link.gate,
        clock=link.now,
    )
    return Reader(client, settings.project, History(client, settings.project, link.notebook))


def _login(link: Link, settings: Settings) -> Authenticate:
    def authenticate(refresh: str | None) -> Grant:
        asked_at = link.now()
        if refresh is None:
            password = settings.password
            found = rime_auth.login(
                http=link.http,
                base_url=settings.base_url(),
                email=settings.email or "",
                password="" if password is None else password.get_secret_value(),
                gate=link.gate,
                deadline=LOGIN_SECONDS,
                clock=link.now,
            )
        else:
            found = rime_auth.refresh(
                http=link.http,
                base_url=settings.base_url(),
                refresh_token=refresh,
                path=settings.refresh_path,
                gate=link.gate,
                deadline=LOGIN_SECONDS,
                clock=link.now,
            )
        ends_at = None if found.expires_in is None else asked_at + found.expires_in
        return Grant(found.access, found.refresh, ends_at)

    return authenticate


PROVIDER = Provider(
    name="rime",
    title="RIME",
    settings=Settings,
    metrics={
        metric.name: metric
        for metric in (
            Metric(
                name="rows_extracted",
                description="rows that the runs which ended on the day extracted, also those that "
                "failed in part",
                params=Params,
                kind="total",
            ),
            Metric(
                name="runs_succeeded",
                description="runs that ended on the day with success",
                params=Params,
                kind="total",
            ),
            Metric(
                name="runs_failed",
                description="runs that failed on the day as a whole",
                params=Params,
                kind="total",
            ),
            Metric(
                name="run_minutes",
                description="minutes from start to end of the runs that ended on the day, however "
                "they ended; skipped ones are left out",
                params=Params,
                kind="total",
            ),
        )
    },
    connect=connect,
    together=TOGETHER,
)
