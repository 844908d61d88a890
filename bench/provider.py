"""A provider as somebody else's package would bring it: one GET for each feed.

It joins Waggle through the entry-point group `waggle.providers`: `Installation` puts a package
without code on the path of the processes, whose metadata names this module.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from clients.http import ApiClient, Route
from tasks.limits import Limit, Quota
from tasks.providers import (
    EACH,
    ENTRY_POINT_GROUP,
    Answer,
    Link,
    Metric,
    MetricParams,
    Provider,
    Reading,
    Request,
    SourceSettings,
    ValueKind,
    one_by_one,
)

NAME = "bench"


class Settings(SourceSettings):
    """One account at the vendor of the bench, and what is known of its limit.

    `tenant`: whom the vendor counts by. `requests` in `seconds`, 0: it names no limit; `bucket`: it
    is known to refill evenly and to serve so many at once; `unknown`: there is a limit that nobody
    has named.
    """

    url: str
    login: str
    tenant: str
    requests: int = 0
    seconds: float = 1.0
    bucket: int = 0
    unknown: bool = False

    def account(self) -> str:
        """Server and login."""
        return f"{self.url}|{self.login}"

    def quotas(self) -> tuple[Quota, ...]:
        """All accounts of a tenant together."""
        limit = None
        if self.requests:
            limit = Limit(requests=self.requests, seconds=self.seconds, bucket=self.bucket)
        return (Quota(account=self.tenant, title=self.tenant, limit=limit, unknown=self.unknown),)


class Params(MetricParams):
    """Which job."""

    job: int

    def value_kind(self) -> ValueKind:
        """How often it was asked for."""
        return "total"


class _Value(BaseModel):
    value: float


class Client(ApiClient):
    """The vendor of the bench."""

    vendor = "the vendor"
    allowed: ClassVar[Sequence[Route]] = (("GET", re.compile("[a-z0-9]+/jobs/[0-9]+")),)

    def value(self, tenant: str, job: int) -> float:
        """What the vendor counts of this job."""
        answer = self._request("GET", f"{tenant}/jobs/{job}")
        return _Value.model_validate_json(answer.body).value


class Reader:
    """Asks for each feed by itself."""

    def __init__(self, client: Client, tenant: str) -> None:
        self._client = client
        self._tenant = tenant

    def read(self, requests: Sequence[Request]) -> dict[int, Answer]:
        """See `tasks.providers.Connection`."""
        return one_by_one(requests, self._readings)

    def _readings(self, request: Request) -> dict[str, Reading]:
        job = Params.model_validate(request.params.model_dump()).job
        value = self._client.value(self._tenant, job)
        return {window.daystamp: Reading(value) for window in request.days[-1:]}


def connect(link: Link) -> Reader:
    """A reader for one account."""
    settings = Settings.model_validate(link.settings.model_dump())
    client = Client(http=link.http, base_url=settings.url, gate=link.gate, clock=link.now)
    return Reader(client, settings.tenant)


PROVIDER = Provider(
    name=NAME,
    title="The vendor of the bench",
    settings=Settings,
    metrics={
        "job": Metric(
            name="job", description="how often a job was asked for", params=Params, kind="total"
        )
    },
    connect=connect,
    together=EACH,
)


def install(folder: Path) -> Path:
    """Make the package that names the provider; the folder is to be on `PYTHONPATH`."""
    about = folder / "waggle_bench-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: waggle-bench\nVersion: 0\n")
    (about / "entry_points.txt").write_text(
        f"[{ENTRY_POINT_GROUP}]\n{NAME} = {__name__}:PROVIDER\n"
    )
    return folder
