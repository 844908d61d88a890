"""What can be read of the simulated BM Parts, by path.

Shapes that are documented or were seen: `documents`, `history`. Of all others the name of the list
is a guess, which `Switches.names` changes.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from starlette.datastructures import QueryParams

from simulators import bmparts_answers as answers
from simulators.bmparts_answers import RefusedError, Row
from simulators.bmparts_periods import Period, period
from simulators.bmparts_state import BmpartsState, Counterparty, Document

Read = Callable[[BmpartsState, Counterparty, str, QueryParams], Any]


def of(path: str) -> Read | None:
    """What answers a GET of this path, None if there is no such call."""
    match path.split("/"):
        case ["documents", "reclamation", _]:
            return None
        case ["documents", kind, name] if kind != "filters":
            return lambda _state, firm, _path, _query: _document(firm, kind, name)
    return _READS.get(path)


def _period(state: BmpartsState, query: QueryParams) -> Period:
    switches = state.switches
    try:
        return period(
            query.get("period", "month"),
            now=state.clock(),
            zone=switches.zone,
            inclusive=switches.end_inclusive,
        )
    except ValueError as wrong:
        raise RefusedError(422, str(wrong)) from None


def _profile(_state: BmpartsState, firm: Counterparty, _path: str, _query: QueryParams) -> Row:
    return {"uuid": firm.uuid, "name": firm.name, "clients": {}}


def _history(state: BmpartsState, firm: Counterparty, path: str, query: QueryParams) -> Any:  # noqa: ANN401
    wanted = query.get("filter", "all")
    if wanted not in ("vin", "phrase", "all"):
        raise RefusedError(422, f"filter {wanted!r} is none of vin, phrase, all")
    rows = [
        (
            one.at,
            {
                "searched_at": answers.stamp(one.at),
                "search_string": one.phrase,
                "is_vin": one.is_vin,
                "car_model": None,
                "not_found": False,
            },
        )
        for one in firm.history
        if wanted == "all" or one.is_vin == (wanted == "vin")
    ]
    shown = answers.page(answers.sorted_by_time(rows, query), path, query, state.switches)
    return answers.listed(shown, path=path, name="history", key=None, switches=state.switches)


def _of(state: BmpartsState, firm: Counterparty, query: QueryParams) -> list[Document]:
    asked, kind = _period(state, query), query.get("type")
    if kind is not None and kind not in state.types:
        raise RefusedError(422, f"type {kind!r} is unknown")
    return [
        one for one in firm.documents if asked.has(one.at) and (kind is None or one.type == kind)
    ]


def _shown(one: Document) -> Row:
    return {"document_uuid": one.document_uuid, "carrier_number": one.carrier_number}


def _documents(state: BmpartsState, firm: Counterparty, path: str, query: QueryParams) -> Any:  # noqa: ANN401
    rows = [(one.at, _shown(one)) for one in _of(state, firm, query)]
    shown = answers.page(answers.sorted_by_time(rows, query), path, query, state.switches)
    return answers.listed(
        shown, path=path, name="documents", key="document_uuid", switches=state.switches
    )


def _grouped(state: BmpartsState, firm: Counterparty, _path: str, query: QueryParams) -> Row:
    groups: dict[str, list[Row]] = defaultdict(list)
    for one in _of(state, firm, query):
        groups[answers.stamp(one.at)[:10]].append(_shown(one))
    return {"documents": groups}


def _document(firm: Counterparty, kind: str, name: str) -> Row:
    for one in firm.documents:
        if (one.type, one.document_uuid) == (kind, name):
            return {"document": _shown(one)}
    raise RefusedError(404, "not found")


def _types(state: BmpartsState, _firm: Counterparty, path: str, _query: QueryParams) -> Any:  # noqa: ANN401
    rows = [{"code": code, "name": name} for code, name in state.types.items()]
    return answers.listed(rows, path=path, name="types", key="code", switches=state.switches)


def _reserves(state: BmpartsState, firm: Counterparty, path: str, query: QueryParams) -> Any:  # noqa: ANN401
    rows = [
        {"uuid": one, "product": name, "quantity": answers.stock(3)}
        for one, name in firm.reserves.items()
    ]
    shown = answers.page(rows, path, query, state.switches)
    return answers.listed(shown, path=path, name="reserves", key="uuid", switches=state.switches)


def _carts(state: BmpartsState, firm: Counterparty, path: str, _query: QueryParams) -> Any:  # noqa: ANN401
    rows = [{"uuid": one, "name": name} for one, name in firm.carts.items()]
    return answers.listed(rows, path=path, name="carts", key="uuid", switches=state.switches)


def _count(state: BmpartsState, firm: Counterparty, _path: str, _query: QueryParams) -> Any:  # noqa: ANN401
    return answers.carts_count(len(firm.carts), state.switches)


def _turnover(state: BmpartsState, firm: Counterparty, _path: str, query: QueryParams) -> Row:
    asked = _period(state, query)
    sums: dict[str, float] = defaultdict(float)
    for sale in firm.sales:
        if asked.has(sale.at):
            sums[sale.brand] += sale.sum
    rows = [
        {"brand": brand, "sum": answers.quantity(total, state.switches)}
        for brand, total in sums.items()
    ]
    total = answers.quantity(sum(sums.values()), state.switches)
    return {"brands_turnover": rows, "total": total}


def _reconciliation(state: BmpartsState, firm: Counterparty, _path: str, query: QueryParams) -> Row:
    asked = _period(state, query)
    before = sum(sale.sum for sale in firm.sales if sale.at < asked.starts_at)
    within = sum(sale.sum for sale in firm.sales if asked.has(sale.at))
    opening, closing = (
        answers.quantity(value, state.switches) for value in (before, before + within)
    )
    return {"reconciliation": {"opening": opening, "closing": closing}}


def _terms(state: BmpartsState, firm: Counterparty, _path: str, _query: QueryParams) -> Row:
    rows = [
        {"date": day, "debt": answers.quantity(debt, state.switches)}
        for day, debt in sorted(firm.debts.items())
    ]
    return {"terms": rows}


def _nothing(state: BmpartsState, _firm: Counterparty, path: str, query: QueryParams) -> Any:  # noqa: ANN401
    name = path.rpartition("/")[2]
    shown = answers.page([], path, query, state.switches)
    return answers.listed(shown, path=path, name=name, key=None, switches=state.switches)


_READS: dict[str, Read] = {
    "profile/me": _profile,
    "profile/history": _history,
    "documents/list": _documents,
    "documents/grouped": _grouped,
    "documents/filters/types": _types,
    "reports/brands_turnover": _turnover,
    "reports/reconciliation": _reconciliation,
    "reports/terms": _terms,
    "shopping/carts": _carts,
    "shopping/carts/count": _count,
    "shopping/reserves": _reserves,
    **dict.fromkeys(
        (
            "documents/filters/dates",
            "documents/filters/groups",
            "finance/contracts/list",
            "finance/currencies/list",
            "finance/currencies/rates",
            "profile/bound_clients",
            "return_products/reclamations",
            "return_products/returns",
            "returns/causes",
            "returns/products",
        ),
        _nothing,
    ),
}
