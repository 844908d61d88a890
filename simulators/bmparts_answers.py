"""How the simulated BM Parts answers: pages, lists of either form, quantities as text."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams

from simulators.bmparts_state import Switches

DEFAULT_PER_PAGE = 30
MOST_PER_PAGE = 100
_MOST_MEMBERS = 10

Row = dict[str, Any]


class RefusedError(Exception):
    """An answer with this status and `{message}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def page(rows: Sequence[Row], path: str, query: QueryParams, switches: Switches) -> Sequence[Row]:
    """The part of a list that is asked for. Raises `RefusedError` (422) for bad numbers."""
    size = _whole(query, "per_page", DEFAULT_PER_PAGE, most=MOST_PER_PAGE)
    number = _whole(query, "page", 1)
    if path in switches.ignores_per_page:
        size = DEFAULT_PER_PAGE
    if path in switches.ignores_page:
        number = 1
    last = max(1, -(-len(rows) // size))
    if switches.beyond == "last":
        number = min(number, last)
    return rows[(number - 1) * size : number * size]


def listed(
    rows: Sequence[Row], *, path: str, name: str, key: str | None, switches: Switches
) -> Any:  # noqa: ANN401 -- any JSON
    """A list as the switches want it; `key` names the member that an object is keyed by."""
    called = switches.names.get(path, name)
    if switches.lists == "bare":
        return list(rows)
    if switches.lists == "objects" and key is not None:
        return {called: {row[key]: row for row in rows}}
    return {called: list(rows)}


def sorted_by_time(rows: Sequence[tuple[float, Row]], query: QueryParams) -> list[Row]:
    """Newest first unless `direction` says otherwise. Raises `RefusedError` (422)."""
    direction = query.get("direction", "desc")
    if direction not in ("asc", "desc"):
        raise RefusedError(422, f"direction {direction!r} is neither asc nor desc")
    ordered = sorted(rows, key=lambda pair: pair[0], reverse=direction == "desc")
    return [row for _, row in ordered]


def quantity(value: float, switches: Switches) -> str | float:
    """A number as this server writes it."""
    text = f"{value:g}".replace(".", ",")
    return text if switches.text_quantities else value


def stock(count: int) -> str:
    """What is in a warehouse: `-` for nothing, and nobody learns of more than ten."""
    if count <= 0:
        return "-"
    return f">{_MOST_MEMBERS}" if count > _MOST_MEMBERS else str(count)


def stamp(at: float) -> str:
    """UTC seconds as ISO 8601."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def carts_count(count: int, switches: Switches) -> Any:  # noqa: ANN401 -- any JSON
    """How many carts there are, in the shape that is switched on."""
    shapes: Mapping[str, Any] = {
        "object": {"count": count},
        "number": count,
        "text": {"count": str(count)},
        "nested": {"carts": {"count": count}},
    }
    return shapes[switches.carts_count]


def _whole(query: QueryParams, name: str, default: int, *, most: int | None = None) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise RefusedError(422, f"{name} {text!r} is no number from 1 on")
    return int(text) if most is None else min(int(text), most)
