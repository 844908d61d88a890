"""What can be counted at a BEMServer: the aggregate of a time series over a Beeminder day."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

import clients
from clients import bemserver_auth
from tasks.knowledge import Knowledge
from tasks.metrics.bemserver_days import Aggregation
from tasks.metrics.bemserver_reader import Reader
from tasks.providers import (
    LOGIN_SECONDS,
    Grant,
    Link,
    Metric,
    MetricParams,
    Provider,
    SourceSettings,
    ValueKind,
)


class Settings(SourceSettings):
    """How to reach a BEMServer."""

    url: str = Field(description="base URL with the version path", examples=["https://…/api/v0"])
    email: str = Field(description="login")
    password: SecretStr = Field(description="password of that login")

    def account(self) -> str:
        """The server and the login."""
        return f"{self.url.rstrip('/')}|{self.email.lower()}"

    def open_url(self) -> str:
        """The server."""
        return self.url


class Params(MetricParams):
    """Which series, and how a day of it becomes one number."""

    timeseries: int | str = Field(description="id of the series, or its name (then with campaign)")
    campaign: int | str | None = Field(None, description="id or name of the campaign of that name")
    aggregation: Aggregation = Field("sum", description="how the samples of a day become a value")
    data_state: str = Field("Clean", description="name of the data state, such as Raw or Clean")
    convert_to: str | None = Field(None, description="unit to convert to, as the server names it")
    # Left out of the identity of feeds that don't name it: their datapoints keep their ids.
    counter: bool | None = Field(
        None, description="the series is a meter that runs on (with aggregation last or max)"
    )

    def value_kind(self) -> ValueKind:
        """Sums and counts are totals of the day, a meter is a counter, the others are levels."""
        if self.counter:
            return "counter"
        return "total" if self.aggregation in ("sum", "count") else "level"

    @model_validator(mode="after")
    def _a_meter_is_read(self) -> Self:
        if self.counter and self.aggregation not in ("last", "max"):
            message = 'a counter is read: `counter = true` needs aggregation = "last" (or "max")'
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _name_needs_campaign(self) -> Self:
        if isinstance(self.timeseries, str) and self.campaign is None:
            message = "a series given by name needs `campaign` (its id or name) beside it"
            raise ValueError(message)
        if isinstance(self.timeseries, int) and self.campaign is not None:
            message = "give `timeseries` as an id, or as a name with `campaign`, not both"
            raise ValueError(message)
        return self


def connect(link: Link) -> Reader:
    """A reader for one source; it logs in when it is first used."""
    settings = link.settings
    if not isinstance(settings, Settings):
        message = f"{type(settings).__name__} are not settings of a BEMServer"
        raise TypeError(message)

    def authenticate(refresh: str | None) -> Grant:
        if refresh is None:
            pair = bemserver_auth.login(
                http=link.http,
                base_url=settings.url,
                email=settings.email,
                password=settings.password.get_secret_value(),
                gate=link.gate,
                deadline=LOGIN_SECONDS,
            )
        else:
            pair = bemserver_auth.refresh(
                http=link.http,
                base_url=settings.url,
                refresh_token=refresh,
                gate=link.gate,
                deadline=LOGIN_SECONDS,
            )
        return Grant(pair.access, pair.refresh, pair.access_expires_at)

    return Reader(
        clients.BemserverClient(
            http=link.http,
            base_url=settings.url,
            tokens=link.tokens(authenticate),
            etags=clients.MemoryEtagCache(),
            gate=link.gate,
        ),
        Knowledge(link.notebook, link.now),
    )


PROVIDER = Provider(
    name="bemserver",
    title="BEMServer",
    settings=Settings,
    metrics={
        "timeseries_aggregate": Metric(
            name="timeseries_aggregate",
            description="a day of a time series as one number: its sum, average, extreme or last",
            params=Params,
            kind="total (sum, count), level (avg, min, max, last) or counter (counter = true)",
        )
    },
    connect=connect,
)
