"""What can be counted at BM Parts: documents and searches of a day, what is open, a number."""

import hashlib
from typing import Literal

from pydantic import ConfigDict, Field, SecretStr, field_validator

import clients
from clients import bmparts
from tasks.limits import Limit, Quota
from tasks.metrics import bmparts_params as params
from tasks.metrics.bmparts_reader import Reader
from tasks.providers import EACH, Link, Metric, Provider, SourceSettings

HOUR = 3600.0
REQUESTS = 10_000  # an hour, for all keys and people of a counterparty
KEY_DAYS = 365


class Settings(SourceSettings):
    """How to reach BM Parts."""

    # What is wrong with a key is told without the key.
    model_config = ConfigDict(hide_input_in_errors=True)

    url: str = Field(bmparts.BASE_URL, description="base URL of the API")
    api_key: SecretStr = Field(
        description="key made at login.bm.parts/api/; it ends after a year, say `key_made`"
    )
    language: Literal["uk", "ru"] = Field("uk", description="language of names and messages")
    counterparty: str | None = Field(
        None,
        description="a name of your own for the account behind the key, where this address has "
        "several; a new key of the same account keeps it",
    )
    reserve: int = Field(
        500,
        ge=0,
        lt=REQUESTS,
        description=f"requests of the {REQUESTS} an hour that are left to the firm's own people",
    )

    def account(self) -> str:
        """The address, and the name of the counterparty where it was given."""
        return f"{self.url.rstrip('/')}|{self.counterparty or ''}"

    def open_url(self) -> str:
        """The API."""
        return self.url

    def quotas(self) -> tuple[Quota, ...]:
        """What a counterparty has in an hour. Whose key it is only the vendor knows: by the key."""
        key = self.api_key.get_secret_value()
        name = hashlib.sha256(f"{self.url.rstrip('/')} {key}".encode()).hexdigest()
        limit = Limit(requests=REQUESTS, seconds=HOUR, reserve=self.reserve)
        return (Quota(account=name, title=self.counterparty or "", limit=limit),)

    @field_validator("api_key")
    @classmethod
    def _is_a_bare_key(cls, given: SecretStr) -> SecretStr:
        key = given.get_secret_value()
        if not key or not all("!" <= character <= "~" for character in key):
            raise ValueError(
                "is no key: copy it from login.bm.parts/api/ as it stands there, without a word "
                "such as Bearer before it and without spaces or line breaks"
            )
        return given

    @field_validator("counterparty")
    @classmethod
    def _is_tidy(cls, given: str | None) -> str | None:
        return (given or "").strip() or None


def connect(link: Link) -> Reader:
    """A reader for one source."""
    settings = link.settings
    if not isinstance(settings, Settings):
        message = f"{type(settings).__name__} are not settings of BM Parts"
        raise TypeError(message)
    return Reader(
        clients.BmpartsClient(
            http=link.http,
            base_url=settings.url,
            api_key=settings.api_key.get_secret_value(),
            language=settings.language,
            gate=link.gate,
            clock=link.now,
        )
    )


METRICS = (
    Metric(
        name="documents",
        description="documents of a day, such as shipments: an order is one once it has left",
        params=params.Documents,
        kind="total",
    ),
    Metric(
        name="searches",
        description="searches in the catalogue on a day, as the history of the account has them",
        params=params.Searches,
        kind="total",
    ),
    Metric(
        name="open_reserves",
        description="reserves that are open now",
        params=params.Open,
        kind="level",
        history=False,
    ),
    Metric(
        name="open_carts",
        description="carts that are open now",
        params=params.Open,
        kind="level",
        history=False,
    ),
    Metric(
        name="json_value",
        description="a number in the answer to a call, as it is now, such as a debt that is due",
        params=params.Value,
        kind="level",
        history=False,
    ),
    # A metric of its own: whether past days can be asked about is one word for all of a metric.
    Metric(
        name="json_total",
        description="a number in the answer to a call about one day, such as a turnover",
        params=params.Total,
        kind="total",
    ),
)

PROVIDER = Provider(
    name="bmparts",
    title="BM Parts",
    settings=Settings,
    metrics={metric.name: metric for metric in METRICS},
    connect=connect,
    key_days=KEY_DAYS,
    together=EACH,
)
