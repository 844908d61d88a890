"""A gate that a person opens lets one go first, and wakes what waits for it and nothing else."""

from db import gate_opening, held_up
from db.models import Feed, Goal, Source, User
from db.models_limits import Quota

NOW = 1_793_880_000.0


def test_only_what_waits_for_the_gate_is_woken(ledger):
    """The other gate stays closed, and its feed keeps its time."""
    with ledger.write() as session:
        session.add(User(id=1, username="alice"))
        session.flush()
        for number in (1, 2):
            session.add(
                Source(
                    id=number, user_id=1, name=f"s{number}", provider="p", quota_key=f"p:{number}"
                )
            )
            session.add(
                Quota(
                    key=f"p:{number}", vendor="p", title=f"t{number}", closed_at=NOW - 9,
                    closed_until=NOW + 900, learned_interval=2.0,
                )
            )  # fmt: skip
            session.add(Goal(id=number, user_id=1, slug=f"g{number}", declared_slug="g"))
            session.flush()
            session.add(
                Feed(
                    id=number, goal_id=number, source_id=number, metric="m", deferrals=1,
                    due_at=NOW + 900,
                )
            )  # fmt: skip
    with ledger.write() as session:
        known = held_up.gates(session, NOW)
        woken = gate_opening.open_gates(session, known[:1], known, NOW)
    with ledger.read() as session:
        first, second = held_up.gates(session, NOW)
        assert woken == 1
        assert (first.state, first.interval) == ("half open", 0.0)
        assert (second.state, second.interval) == ("closed", 2.0)
        assert session.get_one(Feed, 1).due_at == NOW
        assert session.get_one(Feed, 2).due_at == NOW + 900
