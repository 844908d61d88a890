"""The turn of one request: it takes one under all quotas that count it, or under none."""

from collections.abc import Sequence

from db import quotas, quotas_seen
from db.quotas import Turn
from db.quotas_seen import Gate
from db.states import Lane
from tasks import precedence
from tasks.runtime import Runtime
from tasks.ways import Way

TO_LOOK = 0.02  # seconds before its time it is looked whether a slot still counts
SHORTEST_SLEEP = 0.02  # before it is asked again; a slot is slept for to the point
APART = 0.2  # that part of the time by which slots are taken ahead lies between those who ask


def wait(
    rt: Runtime, ways: Sequence[Way], *, ends_at: float, lane: Lane, queue: bool = False
) -> list[Turn] | float:
    """The turns of one request under all of these once they have come; or when to ask again.

    Nothing is slept beyond `ends_at`. The account comes first among the `ways`. `queue`: a slot is
    taken however far ahead of that it is, so that nobody who asks later comes before.
    """
    missed = False
    while True:
        now = rt.clock.now()
        at = max(rt.closings.until(way.key, now) for way in ways)
        if at <= now:
            ahead = max(0.0, ends_at - now)
            found = _taken(ways, ahead if queue else min(precedence.AHEAD[lane], ahead)) or _turns(
                rt, ways, now, ends_at=ends_at, lane=lane, queue=queue
            )
            at = _used(rt, ways, found) if isinstance(found, list) else found
            if isinstance(found, list) and at == 0.0:
                # Once: where everybody is late there are slots to spare, and no end to it.
                if missed or not _missed(rt, ways, found, ends_at=ends_at):
                    return found
                missed, at = True, rt.clock.now()
        now = rt.clock.now()
        if at > max(ends_at, now):
            return at
        rt.clock.sleep(max(at - now, SHORTEST_SLEEP))


def slowest(rt: Runtime, ways: Sequence[Way]) -> float:
    """Seconds from one request to the next at the slowest of these."""
    with rt.ledger.read() as session:
        gates = quotas_seen.look_at(session, [way.key for way in ways])
    now = rt.clock.now()
    return max(way.pace(gates[way.key], now).interval for way in ways)


def come_near(rt: Runtime, ways: Sequence[Way], *, seconds: float, within: float) -> None:
    """Sleep until the next turn is so many `seconds` away, unless that is later than `within`."""
    if all(rt.quick_gates.was_just(way.key, rt.clock.now()) for way in ways):
        return  # one of many, and not to be waited for
    with rt.ledger.read() as session:
        gates = quotas_seen.look_at(session, [way.key for way in ways])
    now = rt.clock.now()
    free = (gate.next_free_at - gate.tolerance for gate in gates.values() if gate is not None)
    wait = max(free, default=now) - seconds - now
    if 0.0 < wait <= within:
        rt.clock.sleep(wait)


def _taken(ways: Sequence[Way], ahead: float) -> list[Turn] | None:
    """The turn that one quota gives without a look; None: look at them."""
    turn = ways[0].take(ahead=ahead) if len(ways) == 1 else None
    return None if turn is None else [turn]


def _turns(
    rt: Runtime, ways: Sequence[Way], now: float, *, ends_at: float, lane: Lane, queue: bool
) -> list[Turn] | float:
    """A turn under each quota, all of them granted; or when to ask again, and none was taken."""
    with rt.ledger.read() as session:
        gates = quotas_seen.look_at(session, [way.key for way in ways])
        later = max(_shut_until(gate, now) for gate in gates.values())
        paced = [way.paced(gates[way.key], now) for way in ways]
        if later <= now:
            later = precedence.yields_until(session, ways[0].key, paced, lane=lane, now=now)
    if later > now:
        return later
    ahead = max(0.0, ends_at - now)
    if not queue:
        ahead = min(precedence.ahead(lane, paced), ahead)
    turns = {way.key: Turn(now, granted=True) for way in ways}
    if not all(way.is_free(gates[way.key], now) for way in ways):
        with rt.ledger.write(durable=False) as session:
            now = rt.clock.now()  # it may have taken a while until it was our turn to write
            for way in sorted(ways, key=lambda way: way.key):  # nobody waits in a circle
                gate = gates[way.key]
                if way.is_free(gate, now):
                    gate = quotas_seen.look(session, way.key)  # and some may be closed by now
                    if way.is_free(gate, now):
                        continue
                turn = way.reserve(session, gate, now=now, ahead=ahead, lane=lane)
                if not turn.granted:
                    session.rollback()  # what was taken under the others is given back
                    # Many may be told the same: not all of them have to ask for the one next slot.
                    return turn.at + rt.rng.uniform(0.0, APART * ahead)
                turns[way.key] = turn
    return [turns[way.key] for way in ways]


def _shut_until(gate: Gate | None, now: float) -> float:
    """When it may be worth a write to ask for a turn."""
    if gate is None:
        return 0.0
    if now >= gate.closed_until > gate.proven_at and gate.probe_until > now:
        return now + quotas.LOOK_AGAIN
    return gate.closed_until


def _used(rt: Runtime, ways: Sequence[Way], turns: Sequence[Turn]) -> float:
    """Sleep until the turns have come: 0.0. Or when to ask anew, where a gate was closed meanwhile.

    However short that was: the slots of before are not those of after it.
    """
    at, began = max(turn.at for turn in turns), rt.clock.now()
    if at <= began:
        return 0.0
    rt.clock.sleep(max(0.0, at - began - TO_LOOK))
    now = rt.clock.now()
    with rt.ledger.read() as session:
        gates = quotas_seen.look_at(session, [way.key for way in ways])
    closed = max(
        _closed_since(gates[way.key], turn, began) for way, turn in zip(ways, turns, strict=True)
    )
    if closed == 0.0:
        rt.clock.sleep(max(0.0, at - rt.clock.now()))
        return 0.0
    for way, turn in zip(ways, turns, strict=True):
        way.lost(turn)
    return max(closed, now)


def _missed(rt: Runtime, ways: Sequence[Way], turns: Sequence[Turn], *, ends_at: float) -> bool:
    """Is it too late for one of these? Whoever leaves beside the next ones is one too many."""
    now = rt.clock.now()
    late = any(
        way.is_late(turn, now, ends_at=ends_at) for way, turn in zip(ways, turns, strict=True)
    )
    if late:
        for way, turn in zip(ways, turns, strict=True):
            way.missed(turn)
    return late


def _closed_since(gate: Gate | None, turn: Turn, began: float) -> float:
    """Until when a gate was closed after this turn was taken; 0.0: it was not."""
    if gate is None:
        return 0.0
    # Who goes first goes while nothing is proven; for all others that is as good as closed.
    known = began if turn.probe else min(began, gate.proven_at)
    return gate.closed_until if gate.closed_until > known else 0.0
