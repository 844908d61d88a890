"""RIME's lists, page by page, and its error bodies.

https://rimedata.io/docs/api/overview: `{data, next_cursor, has_more}`, and what ends a list is not
said: `has_more` that is false, a cursor that is missing, null or empty, or one that was there
before.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from clients import errors
from clients.answers import Answer, error_text

PAGE_SIZE = 100  # the most that the vendor gives at once
MOST_PAGES = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page: its entries, and the cursor of the next one, None on the last."""

    answer: Answer
    items: list[object]
    cursor: str | None


def pages(
    ask: Callable[[Mapping[str, str | int]], Answer], *, cursor: str | None = None
) -> Iterator[Page]:
    """Every page of a list, or those from `cursor` on; `ask` sends one request with this query.

    UnexpectedResponse for a page without `data`, for a server that gives the same page again, and
    for a list that has no end: a part of it would be a wrong count.
    """
    seen: set[str] = set()
    before: list[object] = []
    for _ in range(MOST_PAGES):
        params: dict[str, str | int] = {"limit": PAGE_SIZE}
        if cursor is not None:
            params["cursor"] = cursor
            seen.add(cursor)
        page = page_of(ask(params))
        if _is_again(page.items, before):
            raise page.answer.unexpected("the page before came again: the cursor was not heeded")
        before = page.items
        if page.cursor in seen:  # what comes behind it was read already
            page = dataclasses.replace(page, cursor=None)
        yield page
        cursor = page.cursor
        if cursor is None:
            return
    raise errors.UnexpectedResponse(
        f"a list of RIME has no end after {MOST_PAGES} pages ({page.answer.path})",
        request_id=page.answer.request_id,
    )


def _is_again(items: list[object], before: list[object]) -> bool:
    # The last entry is the one that neither grows nor is moved on from the page before.
    return bool(items) and len(items) == len(before) and items[-1] == before[-1]


def page_of(answer: Answer) -> Page:
    """An answer as a page. UnexpectedResponse where it is none."""
    body = answer.json()
    if not isinstance(body, dict):
        raise answer.unexpected(f"field data is missing: found {type(body).__name__}")
    items = body.get("data")
    if items is None:
        raise answer.unexpected("field data is missing")
    if not isinstance(items, list):
        raise answer.unexpected(f"field data: a list was due, found {type(items).__name__}")
    more, cursor = body.get("has_more"), body.get("next_cursor")
    if more is not None and not isinstance(more, bool):
        raise answer.unexpected("field has_more: true or false was due")
    if isinstance(cursor, bool) or not isinstance(cursor, str | int | None):
        raise answer.unexpected("field next_cursor: a text was due")
    goes_on = more is not False and cursor not in (None, "")
    return Page(answer, items, str(cursor) if goes_on else None)


def one_of(answer: Answer) -> object:
    """The body of a single thing, taken out of `{data: …}` where it comes like that."""
    body = answer.json()
    if isinstance(body, dict) and isinstance(body.get("data"), dict):
        return body["data"]
    return body


def said(answer: Answer) -> str:
    """What an error answer says, in one line: the message, and what is wrong with which field."""
    body = answer.details()
    if not isinstance(body, dict) or not isinstance(body.get("error"), dict):
        return answer.error_text()
    error = body["error"]
    details = error.get("details")
    found = [_detail(one) for one in details] if isinstance(details, list) else []
    message = error_text(error.get("message") or error.get("code"))
    told = "; ".join(text for text in found if text)
    return error_text(f"{message} ({told})" if message and told else message or told)


def _detail(one: object) -> str:
    if not isinstance(one, dict):
        return error_text(one)
    field, message = one.get("field"), error_text(one.get("message"))
    return f"{field}: {message}" if field and message else message or error_text(field)
