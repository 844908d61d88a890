"""RIME's API (rimedata.io), to read runs from: this client can't change or start anything.

https://rimedata.io/docs/api/overview and https://docs.rimedata.io/api/reference
"""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import httpx

from clients import errors, rime_models, rime_pages, rime_paths
from clients.answers import Answer
from clients.bearer import TokenSource, bearer
from clients.call import Params
from clients.gate import Gate
from clients.http import MIB, ApiClient, Route
from clients.rime_auth import RimeTokens, login, refresh
from clients.rime_models import Fields, Run, Thing
from clients.rime_paths import Kind

__all__ = ["Fields", "RimeClient", "RimeTokens", "Run", "RunPage", "Thing", "login", "refresh"]

_LARGEST = 8 * MIB  # of a page of a hundred entries


@dataclasses.dataclass(frozen=True, slots=True)
class RunPage:
    """A page of runs, and the cursor of the next one; None on the last."""

    runs: list[Run]
    cursor: str | None


class RimeClient(ApiClient):
    """One account of one tenant. `base_url` ends with `/api/v1`.

    `credentials`: an API key, or where session tokens come from. The two paths are templates, see
    `rime_paths`; `fields` says where the values of a run are.
    """

    vendor = "RIME"
    allowed: ClassVar[Sequence[Route]] = tuple(
        ("GET", pattern) for pattern in rime_paths.readable()
    )

    def __init__(
        self,
        *,
        http: httpx.Client,
        base_url: str,
        credentials: TokenSource | str,
        fields: Fields | None = None,
        connector_runs_path: str = rime_paths.RUNS["connector"],
        pipeline_runs_path: str = rime_paths.RUNS["pipeline"],
        gate: Gate | None = None,
        deadline: float = 20.0,
        max_bytes: int = _LARGEST,
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
        self._proof = credentials
        self._fields = fields or Fields()
        self._templates: dict[Kind, str] = {
            "connector": rime_paths.checked(connector_runs_path, "connector"),
            "pipeline": rime_paths.checked(pipeline_runs_path, "pipeline"),
        }
        self._runs_of: tuple[re.Pattern[str], ...] = tuple(
            rime_paths.runs_pattern(template) for template in self._templates.values()
        )

    def projects(self) -> Iterator[list[Thing]]:
        """Pages of the projects that the account may see (GET /projects)."""
        return self._things("projects", "project")

    def project(self, project: str) -> Thing:
        """One of them (GET /projects/{id})."""
        return self._thing(f"projects/{rime_paths.segment(project)}", "project")

    def connectors(self, project: str) -> Iterator[list[Thing]]:
        """Pages of a project's connectors (GET /projects/{id}/connectors)."""
        return self._things(f"projects/{rime_paths.segment(project)}/connectors", "connector")

    def connector(self, project: str, connector: str) -> Thing:
        """One of them (GET /projects/{id}/connectors/{connectorId})."""
        path = f"projects/{rime_paths.segment(project)}/connectors/{rime_paths.segment(connector)}"
        return self._thing(path, "connector")

    def pipelines(self, project: str) -> Iterator[list[Thing]]:
        """Pages of a project's pipelines; the path follows that of the connectors."""
        return self._things(f"projects/{rime_paths.segment(project)}/pipelines", "pipeline")

    def pipeline(self, project: str, pipeline: str) -> Thing:
        """One of them; the path follows that of the connectors."""
        path = f"projects/{rime_paths.segment(project)}/pipelines/{rime_paths.segment(pipeline)}"
        return self._thing(path, "pipeline")

    def runs(
        self, project: str, kind: Kind, of: str, *, cursor: str | None = None
    ) -> Iterator[RunPage]:
        """Pages of the runs of a connector or a pipeline, in the server's order.

        No order is documented, and nothing can be asked for by time. `cursor`: of the page to
        begin with, None: the first. UnexpectedResponse for a list that has no end.
        """
        path = rime_paths.runs(self._templates[kind], kind, project=project, of=of)
        for page in self._pages(path, cursor=cursor):
            runs = [
                self._fields.run(page.answer, item, place=f"data.{number}")
                for number, item in enumerate(page.items)
            ]
            yield RunPage(runs, page.cursor)

    def run(self, project: str, kind: Kind, of: str, run: str) -> Run:
        """One run, as it is now; the path is the one of the list with the id behind it."""
        path = rime_paths.runs(self._templates[kind], kind, project=project, of=of)
        answer = self._get(f"{path}/{rime_paths.segment(run)}")
        return self._fields.run(answer, rime_pages.one_of(answer))

    def open_runs(self, project: str, kind: Kind, of: str) -> list[Run]:
        """The runs that have not ended yet, of the whole list."""
        found = {run.id: run for page in self.runs(project, kind, of) for run in page.runs}
        return [run for run in found.values() if run.outcome == "open"]

    def _things(self, path: str, kind: str) -> Iterator[list[Thing]]:
        for page in self._pages(path):
            yield rime_models.things(page.answer, page.items, kind=kind)

    def _thing(self, path: str, kind: str) -> Thing:
        answer = self._get(path)
        return rime_models.thing(answer, rime_pages.one_of(answer), kind=kind)

    def _pages(self, path: str, *, cursor: str | None = None) -> Iterator[rime_pages.Page]:
        return rime_pages.pages(lambda params: self._get(path, params=params), cursor=cursor)

    def _get(self, path: str, *, params: Params | None = None) -> Answer:
        if isinstance(self._proof, str):  # a key is what it is: nothing makes it good again
            return self._request("GET", path, params=params, credentials=bearer(self._proof))
        token = self._proof.access()
        try:
            return self._request("GET", path, params=params, credentials=bearer(token))
        except errors.AuthFailed:
            pass  # renewed outside of this block: the refusal is no part of what comes then
        renewed = self._proof.renew(token)
        return self._request("GET", path, params=params, credentials=bearer(renewed))

    def token(self) -> str:
        """What proves who asks, for what is no request of this client's: the stream of a run."""
        return self._proof if isinstance(self._proof, str) else self._proof.access()

    def renew(self, rejected: str) -> bool:
        """See that there is another token than the one that was refused; False: there is none."""
        return not isinstance(self._proof, str) and self._proof.renew(rejected) != rejected

    def _allows(self, method: str, path: str) -> bool:
        if super()._allows(method, path):
            return True
        return method == "GET" and any(pattern.fullmatch(path) for pattern in self._runs_of)

    def _error_message(self, answer: Answer) -> str:
        return "" if answer.is_html else rime_pages.said(answer)
