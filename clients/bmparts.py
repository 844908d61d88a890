"""BM Parts' API, to read what a firm has done there: this client can't order or change anything.

https://developer.bm.parts/api/v2/overview.html
"""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import httpx

from clients import bmparts_models, bmparts_numbers, bmparts_paths, errors, redaction
from clients.answers import Answer
from clients.bmparts_models import DocumentType, Listed, Profile
from clients.bmparts_pages import PER_PAGE, Walk
from clients.call import Params
from clients.gate import Gate
from clients.http import MIB, ApiClient, Route
from clients.limits import Limits

BASE_URL = "https://api.bm.parts"
Language = Literal["uk", "ru"]

_HIDDEN = "; BM Parts answers so too where the key may not read this"
_DOCUMENT_IDS = ("document_uuid", "uuid")
_RESERVE_IDS = ("reserve_uuid", "uuid", "id")


class BmpartsClient(ApiClient):
    """One key at BM Parts, and so the counterparty that it belongs to.

    `language` is that of names and messages, nothing is told by them. Instants are Unix seconds.
    """

    vendor = "BM Parts"
    html_403 = "user_agent"
    allowed: ClassVar[Sequence[Route]] = bmparts_paths.ROUTES

    def __init__(
        self,
        *,
        http: httpx.Client,
        base_url: str = BASE_URL,
        api_key: str,
        language: Language = "uk",
        gate: Gate | None = None,
        deadline: float = 20.0,
        max_bytes: int = 8 * MIB,
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
        self._api_key = api_key
        self._language = language

    def profile(self) -> Profile:
        """Whose key it is (GET /profile/me): proof that it is accepted."""
        return bmparts_models.profile(self._get("profile/me"))

    def document_types(self) -> tuple[DocumentType, ...]:
        """Kinds of documents by code (GET /documents/filters/types)."""
        return bmparts_models.document_types(self._get("documents/filters/types"))

    def documents(
        self, first: float, last: float, *, type_code: str | None = None
    ) -> frozenset[str]:
        """Ids of the documents from `first` to `last` (GET /documents/list).

        Nobody says whether the instant `last` is part of that; `first` is. `type_code`: of one
        kind; None: of all. ValueError for what is no code, and for a time that is none.
        """
        params: dict[str, str | int] = {"direction": "desc", "period": period(first, last)}
        if type_code is not None:
            if not bmparts_paths.DOCUMENT_TYPE.fullmatch(type_code):
                raise ValueError(f"{type_code!r} is no code of a kind of documents: 8 hex digits")
            params["type"] = type_code
        walk = Walk("documents")
        more = True
        while more:
            answer, rows = self._page("documents/list", walk.next_page, params, "documents")
            more = walk.add([_document_id(answer, n, row) for n, row in enumerate(rows)])
        return walk.ids

    def count_reserves(self) -> int:
        """How many reserves are open now (GET /shopping/reserves)."""
        walk = Walk("reserves")
        more = True
        while more:
            _, rows = self._page("shopping/reserves", walk.next_page, {}, "reserves")
            ids = [row.id(*_RESERVE_IDS) for row in rows]
            named = [found for found in ids if found is not None]
            if len(named) == len(rows):
                more = walk.add(named)
            else:
                more = walk.add([row.content() for row in rows], unnamed=True)
        return walk.count

    def count_carts(self) -> int:
        """How many carts are open now (GET /shopping/carts/count)."""
        return bmparts_numbers.count(self._get("shopping/carts/count"), "the count of carts")

    def searches(self, since: float) -> list[float]:
        """When something was searched for, from `since` on (GET /profile/history).

        The history is asked newest first, and read until it is older than that.
        """
        walk = Walk("history")
        found: dict[str, float] = {}
        newest = [float("inf")]
        falling = more = True
        while more:
            answer, rows = self._page(
                "profile/history",
                walk.next_page,
                {"filter": "all", "direction": "desc"},
                "history",
            )
            instants = [
                bmparts_models.instant(
                    answer, f"history.{number}.searched_at", row.row.get("searched_at")
                )
                for number, row in enumerate(rows)
            ]
            contents = [row.content() for row in rows]
            found |= dict(zip(contents, instants, strict=True))
            more = walk.add(contents, unnamed=True)
            # A list in another order may have anything on its next page. What comes in meanwhile
            # moves the rest: a page may begin with the end of the one before.
            falling = falling and instants == sorted(instants, reverse=True)
            falling = falling and instants[:1] <= newest
            newest = instants[:1]
            more = more and not (falling and instants[-1] < since)
        return sorted(found[one] for one in walk.records() if found[one] >= since)

    def document(
        self, path: str, *, start: float | None = None, end: float | None = None
    ) -> Answer:
        """The answer to any call that may be made, by its path with a slash.

        `start` and `end`: it is asked about [start, end), where it takes a period. Whether the end
        of one is part of it nobody says: the last second is asked for by its beginning, so that
        midnight belongs to one day only. ValueError for a path that may not be asked for.
        """
        if start is None or end is None:
            return self._get(path)
        if path not in bmparts_paths.PERIOD_PATHS:
            raise ValueError(f"{path} takes no period")
        return self._get(path, {"period": period(start, end - 1)})

    def _page(
        self, path: str, number: int, params: Params, *names: str
    ) -> tuple[Answer, list[Listed]]:
        answer = self._get(path, {**params, "page": number, "per_page": PER_PAGE})
        return answer, bmparts_models.records(answer, *names)

    def _get(self, path: str, params: Params | None = None) -> Answer:
        headers = {"Accept-Language": self._language}
        return self._request("GET", path, params=params, headers=headers)

    def _credentials(self, method: str) -> redaction.Credentials:  # noqa: ARG002 -- all are read
        # The bare key: a scheme before it would be taken for a part of it.
        return redaction.Credentials(headers={"Authorization": self._api_key})

    def _classify(self, answer: Answer, said: Limits) -> errors.ClientError | None:
        error = super()._classify(answer, said)
        if isinstance(error, errors.NotFound):
            error.message += _HIDDEN
            error.args = (error.message,)
        return error


def period(first: float, last: float) -> str:
    """From one instant to another as the API writes it, in whole seconds UTC.

    ValueError where the last one comes before the first.
    """
    if last < first:
        raise ValueError("a period can't end before it begins")
    return f"{{{_iso(first)},{_iso(last)}}}"


def _iso(instant: float) -> str:
    return dt.datetime.fromtimestamp(int(instant), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _document_id(answer: Answer, number: int, row: Listed) -> str:
    found = row.id(*_DOCUMENT_IDS)
    if found is None:
        raise answer.unexpected(f"field documents.{number}.document_uuid is missing")
    return found
