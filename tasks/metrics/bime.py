"""What can be counted at Bime: dashboards and the like as they come, change and are published."""

import re
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

import clients
from clients.bime_auth import BimeApp, BimeToken, BimeTokenClient, StaticToken
from clients.bime_models import Resource
from clients.errors import AuthFailed
from tasks.limits import Limit, Quota
from tasks.metrics.bime_reader import Reader
from tasks.providers import (
    LOGIN_SECONDS,
    NOT_LINKED,
    Grant,
    Link,
    Metric,
    MetricParams,
    Provider,
    SourceSettings,
    ValueKind,
)

# What Bime serves an address and account; their other programs have a share in it, and it is more
# than we need by far.
LIMIT = Limit(requests=500, seconds=10, reserve=300)
BY_CODE = ("client_id", "client_secret", "oauth_url")


class Settings(SourceSettings):
    """How to reach an account at Bime: with a token, or linked in the browser."""

    url: str = Field(
        "https://api.bimeapp.com/v2",
        description="base URL with the version",
        examples=["https://api.bime.io/v3"],
    )
    access_token: SecretStr | None = Field(
        None, description="access token of an app that is registered at the account"
    )
    client_id: str | None = Field(
        None, description="or link it in the browser: the app's id, client_secret and oauth_url"
    )
    client_secret: SecretStr | None = Field(None, description="the app's secret")
    oauth_url: str | None = Field(
        None, description="address of the account itself", examples=["https://acme.bimeapp.com"]
    )
    token_in_query: bool = Field(
        default=False,
        description="send what the token endpoint wants in the query string, not in a form",
    )
    account_name: str | None = Field(
        None,
        description="a name for the account, to be kept when the token or the app changes",
    )

    @field_validator("access_token")
    @classmethod
    def _can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch("[!-~]+", value.get_secret_value()):
            message = "holds a space, a line break or an odd letter, or nothing: copy it again"
            raise ValueError(message)
        return value

    @field_validator("oauth_url")
    @classmethod
    def _can_be_opened(cls, value: str | None) -> str | None:
        # A person's browser is sent there, with what stands in it as it is.
        if value is not None and not re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#@]*)?", value):
            message = "has to be an address that begins with https://, without a login, a ? or a #"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _in_one_way(self) -> Self:
        given = [name for name in BY_CODE if getattr(self, name) is not None]
        missing = [name for name in BY_CODE if name not in given]
        if self.access_token is None and not given:
            message = (
                "give `access_token`, or `client_id`, `client_secret` and `oauth_url` to link it "
                "in the browser"
            )
            raise ValueError(message)
        if self.access_token is not None and given:
            message = (
                f"give either `access_token` or what links it in the browser, not both: take out "
                f"`access_token` or {_listed(given)}"
            )
            raise ValueError(message)
        if given and missing:
            message = f"to link it in the browser, give {_listed(missing)} as well"
            raise ValueError(message)
        return self

    def account(self) -> str:
        """The address, and the name that was given to the account or else the app's id."""
        return f"{self.url.rstrip('/')}|{self.account_name or self.client_id or ''}"

    def open_url(self) -> str:
        """The API."""
        return self.url

    def addresses(self) -> dict[str, str]:
        """The API, and the account's own address where it is linked in the browser."""
        by_code = {} if self.oauth_url is None else {"oauth_url": self.oauth_url}
        return {"url": self.url} | by_code

    def quotas(self) -> tuple[Quota, ...]:
        """Bime counts by address and account."""
        return (Quota(account=self.account(), limit=LIMIT),)

    def app(self) -> BimeApp | None:
        """The app that it is linked with, None where a token was given."""
        if self.client_id is None or self.client_secret is None or self.oauth_url is None:
            return None
        return BimeApp(
            oauth_url=self.oauth_url,
            client_id=self.client_id,
            client_secret=self.client_secret.get_secret_value(),
            in_query=self.token_in_query,
        )


class TotalParams(MetricParams):
    """Nothing to choose."""

    def value_kind(self) -> ValueKind:
        """How many there were on the day."""
        return "total"


class LevelParams(MetricParams):
    """Nothing to choose."""

    def value_kind(self) -> ValueKind:
        """How many there are."""
        return "level"


class RecordsParams(TotalParams):
    """Which list."""

    resource: Resource = Field(description="the list, by its path at Bime")


class Flow:
    """Linking in the browser; see `tasks.providers.CodeFlow`."""

    def offered(self, settings: SourceSettings) -> bool:
        """Where the file names an app."""
        return isinstance(settings, Settings) and settings.app() is not None

    def address(self, settings: SourceSettings, *, redirect_uri: str, state: str) -> str:
        """The account's own page that asks."""
        return _app(settings).authorize_url(redirect_uri=redirect_uri, state=state)

    def exchange(self, link: Link, *, code: str, redirect_uri: str) -> Grant:
        """The token for a code, which is good for one try."""
        client = _token_client(link, _app(link.settings))
        return _grant(client.exchange(code=code, redirect_uri=redirect_uri), link)


def connect(link: Link) -> Reader:
    """A reader for one account; nothing is asked before it is used."""
    settings = _checked(link.settings)
    app = settings.app()
    if settings.access_token is not None:
        tokens: clients.TokenSource = StaticToken(settings.access_token.get_secret_value())
    else:

        def authenticate(refresh: str | None) -> Grant:
            if refresh is None or app is None:
                message = "this source is not linked to Bime, or not any more"
                raise AuthFailed(message, reason=NOT_LINKED)
            return _grant(_token_client(link, app).refresh(refresh), link)

        tokens = link.tokens(authenticate)
    client = clients.BimeClient(
        http=link.http,
        base_url=settings.url,
        tokens=tokens,
        gate=link.gate,
        clock=link.now,
    )
    return Reader(client, link.notebook)


def _token_client(link: Link, app: BimeApp) -> BimeTokenClient:
    return BimeTokenClient(
        app, http=link.http, gate=link.gate, deadline=LOGIN_SECONDS, clock=link.now
    )


def _grant(token: BimeToken, link: Link) -> Grant:
    life = token.life
    return Grant(
        token.access_token, token.refresh_token, None if life is None else link.now() + life
    )


def _app(settings: SourceSettings) -> BimeApp:
    app = _checked(settings).app()
    if app is None:
        message = "this source has an access token: there is nothing to link"
        raise ValueError(message)
    return app


def _checked(settings: SourceSettings) -> Settings:
    if not isinstance(settings, Settings):
        message = f"{type(settings).__name__} are not settings of Bime"
        raise TypeError(message)
    return settings


def _listed(names: list[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


PROVIDER = Provider(
    name="bime",
    title="Bime",
    settings=Settings,
    metrics={
        "dashboards_created": Metric(
            name="dashboards_created",
            description="dashboards by the day on which they were created",
            params=TotalParams,
            kind="total",
        ),
        "dashboards_updated": Metric(
            name="dashboards_updated",
            description="dashboards that were made or changed on a day, as far as Waggle looked: "
            "Bime shows the latest change only",
            params=TotalParams,
            kind="total",
        ),
        "dashboards_published": Metric(
            name="dashboards_published",
            description="how many dashboards are published",
            params=LevelParams,
            kind="level",
            history=False,
        ),
        "records_created": Metric(
            name="records_created",
            description="records of a list, such as named_users, by the day of their creation",
            params=RecordsParams,
            kind="total",
        ),
    },
    connect=connect,
    code_flow=Flow(),
)
