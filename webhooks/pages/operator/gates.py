"""Gates and breakers: which make work wait until when, and opening a gate before its time."""

from collections.abc import Sequence

from starlette.responses import Response

from db import gate_opening, held_up
from db.held_up import Gate
from webhooks import errors, filters, visits
from webhooks.visits import Access, Visit

PATH = "/operator/gates"
PER_PAGE = 30
MOST_BROKEN = 20
LENGTH = 20


def gates(visit: Visit) -> Response:
    """`/operator/gates`: those that make work wait, or with `all` every one of them."""
    query = visit.request.query_params
    every = filters.word(query, "all", ["yes"])
    text, start = filters.text(query, "q"), filters.row(query, "from") or 0
    with visit.receiver.ledger.read() as session:
        known = held_up.gates(session, visit.now, notable=every is None)
        broken = held_up.broken(session)
    fit = [gate for gate in known if text is None or _about(gate, text.lower())]
    before, after = max(0, start - PER_PAGE), start + PER_PAGE
    kept = {"all": every, "q": text}
    shown = fit[start:after]
    return visit.page(
        "operator/gates.html",
        title="Gates · Waggle",
        gates=shown,
        marks={gate.key: _mark(visit, gate) for gate in shown},
        broken=broken[:MOST_BROKEN],
        every=every,
        text=text,
        newer=filters.address(PATH, **kept, **{"from": before}) if start else None,
        older=filters.address(PATH, **kept, **{"from": after}) if fit[after:] else None,
    )


def _about(gate: Gate, text: str) -> bool:
    return any(text in name.lower() for name in (gate.name, gate.title, *gate.sources))


def ask(visit: Visit) -> Response:
    """`/operator/gates/open`: what the vendor may make of it, before anything is done."""
    mark = filters.text(visit.request.query_params, "gate")
    with visit.receiver.ledger.read() as session:
        gate = _marked(visit, held_up.gates(session, visit.now), mark)
    return visit.page("operator/gate.html", title="Open a gate · Waggle", gate=gate, mark=mark)


def open_(visit: Visit) -> Response:
    """`/operator/gates/open`, sent: one request goes first, and what waits comes due."""
    mark = visit.text("gate")
    with visit.receiver.ledger.write() as session:
        known = held_up.gates(session, visit.now)
        gate = _marked(visit, known, mark)
        woken = gate_opening.open_gates(session, [gate], known, visit.now)
        visit.did(session, "open gate", gate.name, feeds=woken)
    visit.receiver.ringer.want({("sync", "urgent")})
    goes = "one request goes first" if gate.state == "closed" else "its pace is forgotten"
    return visit.go(PATH, say=f"{gate.name} is open: {goes}.")


def _mark(visit: Visit, gate: Gate) -> str:
    """What stands for a gate in addresses and forms: its key may be made of an account's own."""
    return visit.receiver.vault.fingerprint(gate.key)[:LENGTH]


def _marked(visit: Visit, known: Sequence[Gate], mark: str | None) -> Gate:
    for gate in known:
        if _mark(visit, gate) == mark:
            return gate
    raise errors.NotFoundError


ROUTES = (
    visits.page(PATH, gates, access=Access.OPERATOR),
    visits.page(f"{PATH}/open", ask, access=Access.OPERATOR),
    visits.form(f"{PATH}/open", open_, access=Access.OPERATOR),
)
