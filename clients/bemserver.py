"""BEMServer's API, to read measurements from: this client can't write anything.

https://github.com/BEMServer/bemserver-api; each server documents itself at /api-spec.json.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, cast

import httpx
import pydantic

from clients import bemserver_models, bemserver_query, errors
from clients.answers import Answer, T
from clients.bearer import TokenSource, bearer
from clients.bemserver_auth import authentication_code, login, refresh
from clients.bemserver_models import (
    Accept,
    Aggregation,
    BucketUnit,
    Campaign,
    Timeseries,
    TokenPair,
)
from clients.bemserver_query import ById, ByName, Selector
from clients.call import Params
from clients.etags import EtagCache, MemoryEtagCache
from clients.gate import Gate
from clients.http import MIB, ApiClient, Route

__all__ = [
    "BemserverClient",
    "ById",
    "ByName",
    "Campaign",
    "EtagCache",
    "MemoryEtagCache",
    "Timeseries",
    "TokenPair",
    "TokenSource",
    "login",
    "refresh",
]

_PAGE_SIZE = 100
_MOST_PAGES = 1000
_RENEWABLE = frozenset({"expired_token", "invalid_token"})


class BemserverClient(ApiClient):
    """One account at one BEMServer. `base_url` includes the path that the API is mounted at."""

    vendor = "BEMServer"
    allowed: ClassVar[Sequence[Route]] = (
        ("GET", re.compile("about/")),
        ("GET", re.compile("campaigns/")),
        ("GET", re.compile("timeseries/(?:[0-9]+)?")),
        ("GET", re.compile("timeseries_data_states/")),
        ("GET", re.compile("timeseries_data/(?:campaign/[0-9]+/)?(?:aggregate)?")),
    )

    def __init__(
        self,
        *,
        http: httpx.Client,
        base_url: str,
        tokens: TokenSource,
        etags: EtagCache | None = None,
        gate: Gate | None = None,
        deadline: float = 20.0,
        max_bytes: int = 32 * MIB,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            http=http,
            base_url=base_url,
            gate=gate,
            deadline=deadline,
            max_bytes=max_bytes,
            clock=clock,
            monotonic=monotonic,
        )
        self._tokens = tokens
        self._etags = etags

    def about(self) -> dict[str, str]:
        """Versions of the server's parts, by name; needs no account (GET /about/)."""
        answer = self._request("GET", "about/")
        versions = answer.parsed(bemserver_models.VERSIONS).get("versions")
        if versions is None:
            raise answer.unexpected("field versions is missing")
        return versions

    def campaigns(self) -> list[Campaign]:
        """The campaigns the account may see (GET /campaigns/)."""
        return self._list("campaigns/", bemserver_models.CAMPAIGNS)

    def data_states(self) -> dict[str, int]:
        """Ids of the data states by name (GET /timeseries_data_states/)."""
        states = self._list("timeseries_data_states/", bemserver_models.DATA_STATES)
        return {state.name: state.id for state in states}

    def timeseries(self, **filters: str | int) -> list[Timeseries]:
        """All series that fit the filters, by name (GET /timeseries/).

        TypeError for a filter that the server does not know.
        """
        if unknown := filters.keys() - bemserver_query.FILTERS:
            raise TypeError(f"timeseries has no filter {min(unknown)}")
        pages = list(self._pages(filters))
        found = {series.id: series for page, _ in pages for series in page}
        if len(found) == pages[-1][1]:
            return list(found.values())
        # Equal names in two campaigns have no stable order between pages; within one campaign
        # names are unique.
        if len(pages) > 1 and "campaign_id" not in filters:
            return [
                series
                for campaign in self.campaigns()
                for series in self.timeseries(**filters, campaign_id=campaign.id)
            ]
        raise errors.Unavailable("BEMServer's list of timeseries changed while it was read")

    def some_timeseries(self) -> tuple[list[Timeseries], int]:
        """The first series by name, and how many there are by the server's count."""
        return next(self._pages({}))

    def timeseries_by_id(self, timeseries_id: int) -> Timeseries:
        """One series (GET /timeseries/<id>). Not the account's: Forbidden."""
        answer = self._get(f"timeseries/{timeseries_id:d}")
        return answer.parsed(bemserver_models.TIMESERIES)

    def timeseries_named(self, name: str, campaign_id: int) -> Timeseries:
        """The series of that name in a campaign; NotFound if there is none."""
        for series in self.timeseries(name=name, campaign_id=campaign_id):
            if series.name == name and series.campaign_id in (campaign_id, None):
                return series
        raise errors.NotFound(f"BEMServer has no timeseries {name!r} in campaign {campaign_id}")

    def data(
        self,
        selector: Selector,
        *,
        start: float,
        end: float,
        data_state: int,
        convert_to: str | Sequence[str] | None = None,
        accept: Accept = "json",
        chunk_days: float = 31.0,
    ) -> dict[str, list[tuple[float, float]]]:
        """Samples (instant, value) by key, `end` excluded (GET /timeseries_data/).

        Every asked key is there. The server has no paging here, so the time is asked for in
        parts of `chunk_days`. CSV drops fractions of seconds.
        """
        merged: dict[str, list[tuple[float, float]]] = {key: [] for key in selector.keys}
        for part_start, part_end in bemserver_query.parts(start, end, chunk_days * 86400):
            params = bemserver_query.range_params(
                selector, part_start, part_end, data_state, convert_to
            )
            answer = self._get(selector.path, params=params, accept=accept)
            part = bemserver_models.series_of(answer, selector.keys, accept=accept)
            for key, samples in part.items():
                merged[key] += [(at, value) for at, value in samples if value is not None]
        return merged

    def aggregate(
        self,
        selector: Selector,
        *,
        start: float,
        end: float,
        data_state: int,
        aggregation: Aggregation,
        unit: BucketUnit,
        timezone: str = "UTC",
        convert_to: str | Sequence[str] | None = None,
        accept: Accept = "json",
    ) -> dict[str, list[tuple[float, float | None]]]:
        """Buckets (start, value) by key, None for an empty one (GET .../aggregate).

        The server widens the range to whole buckets in `timezone`. Always one unit wide: wider
        buckets come out wrong there.
        """
        if start >= end:
            return {key: [] for key in selector.keys}
        params: Params = {
            **bemserver_query.range_params(selector, start, end, data_state, convert_to),
            "timezone": timezone,
            "aggregation": aggregation,
            "bucket_width_value": 1,
            "bucket_width_unit": unit,
        }
        answer = self._get(f"{selector.path}aggregate", params=params, accept=accept)
        return bemserver_models.series_of(answer, selector.keys, accept=accept)

    def _get(
        self,
        path: str,
        *,
        params: Params | None = None,
        accept: Accept = "json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Accept": bemserver_models.MEDIA_TYPES[accept], **(headers or {})}
        token = self._tokens.access()
        try:
            return self._request(
                "GET", path, params=params, headers=sent, credentials=bearer(token)
            )
        except errors.AuthFailed as refusal:
            # invalid_token too: the server's key may have changed since the token was made.
            if authentication_code(refusal) not in _RENEWABLE:
                raise
        renewed = self._tokens.renew(token)
        return self._request("GET", path, params=params, headers=sent, credentials=bearer(renewed))

    def _list(self, path: str, adapter: pydantic.TypeAdapter[T]) -> T:
        answer, kept = self._validated(path, {})
        return answer.parsed(adapter, kept["body"])

    def _pages(self, filters: Mapping[str, str | int]) -> Iterator[tuple[list[Timeseries], int]]:
        """Pages of the list, each with the total that the server claims."""
        seen = 0
        for number in range(1, _MOST_PAGES + 1):
            params: Params = {**filters, "sort": "name", "page_size": _PAGE_SIZE, "page": number}
            answer, kept = self._validated("timeseries/", params)
            page = answer.parsed(bemserver_models.TIMESERIES_LIST, kept["body"])
            seen += len(page)
            claim = bemserver_models.pagination_of(answer, kept["pagination"])
            if claim is None:
                more, total = len(page) == _PAGE_SIZE, seen
            else:
                more, total = number < claim.total_pages and bool(page), claim.total
            yield page, total
            if not more:
                return
        raise errors.UnexpectedResponse(
            f"BEMServer's list of timeseries has no end after {_MOST_PAGES} pages"
        )

    def _validated(self, path: str, params: Params) -> tuple[Answer, dict[str, object]]:
        """The answer, and the body and X-Pagination that hold: from the cache after a 304."""
        url = str(self._url(path, params))
        etag, kept = (self._etags and self._etags.get(url)) or (None, None)
        headers = {"If-None-Match": etag} if etag and _is_kept(kept) else {}
        answer = self._get(path, params=params, headers=headers)
        if answer.status == httpx.codes.NOT_MODIFIED:
            return answer, cast("dict[str, object]", kept)
        fresh = {"body": answer.json(), "pagination": answer.headers.get("X-Pagination")}
        tag = answer.headers.get("ETag", "")
        # A weak tag is no use: the server compares strongly.
        if self._etags is not None and tag.startswith('"'):
            self._etags.put(url, tag, fresh)
        return answer, fresh


def _is_kept(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"body", "pagination"}
