"""How the simulated BEMServer answers: error bodies, compact JSON, entity tags, paging header."""

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response


class HttpError(Exception):
    """An answer of 4xx or 5xx with BEMServer's body."""

    def __init__(
        self,
        status: int,
        *,
        message: str | None = None,
        errors: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {message or errors}")
        self.status = status
        self.headers = headers
        # BEMServer keeps the older reason phrase whatever the Python version says.
        reason = "Unprocessable Entity" if status == HTTPStatus.UNPROCESSABLE_ENTITY else None
        self.payload: dict[str, Any] = {"code": status}
        self.payload["status"] = reason or HTTPStatus(status).phrase
        if message is not None:
            self.payload["message"] = message
        if errors is not None:
            self.payload["errors"] = errors


def forbidden() -> HttpError:
    """The 403 of everything that is not yours."""
    return HttpError(403, message="Authorization error")


def invalid(errors: Mapping[str, Any]) -> HttpError:
    """The 422 of query arguments."""
    return HttpError(422, errors={"query": errors})


def answer(
    payload: Any,  # noqa: ANN401 - any JSON
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Compact JSON with a newline at the end."""
    body = json.dumps(payload, separators=(",", ":")) + "\n"
    return Response(body, status, dict(headers or {}), "application/json")


def tagged(
    request: Request,
    payload: Any,  # noqa: ANN401 - any JSON
    *,
    pagination: str | None = None,
) -> Response:
    """The answer with its strong entity tag, or a bare 304."""
    hashed = payload if pagination is None else [payload, [["X-Pagination", pagination]]]
    text = json.dumps(hashed, sort_keys=True)
    tag = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    asked = request.headers.get("if-none-match", "")
    offered = {part.strip().strip('"') for part in asked.split(",") if part.strip()[:2] != "W/"}
    if offered & {tag, "*"}:
        return Response(status_code=304)
    headers = {} if pagination is None else {"x-pagination": pagination}
    return answer(payload, headers={**headers, "etag": f'"{tag}"'})


def page_header(*, total: int, page: int, size: int) -> str:
    """The value of `X-Pagination`; past the end it has no `page`."""
    pages = -(-total // size)
    shown = {"total": total, "total_pages": pages}
    if pages:
        shown |= {"first_page": 1, "last_page": pages}
    if page <= pages:
        shown["page"] = page
        if page > 1:
            shown["previous_page"] = page - 1
        if page < pages:
            shown["next_page"] = page + 1
    return json.dumps(shown)


def redirect_to_slash(request: Request) -> Response:
    """The 308 of a collection without its slash, with Werkzeug's page."""
    target = str(request.url.replace(path=request.url.path + "/"))
    page = (
        "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n"
        "<h1>Redirecting...</h1>\n<p>You should be redirected automatically to the target URL: "
        f'<a href="{target}">{target}</a>. If not, click the link.\n'
    )
    return Response(page, 308, {"location": target}, "text/html; charset=utf-8")
