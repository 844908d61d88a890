"""One row of everything that a person can have, and what the addresses of pages call it."""

from sqlmodel import Session

from db import errands, inbox, notices
from db.models import Backfill, Cover, Event, Feed, Goal, Source, User
from db.models_limits import Quota
from db.models_pages import Channel, Deed, Errand
from db.models_points import Datapoint, Day, Sending
from db.models_runs import Run
from db.states import (
    BackfillState,
    DatapointState,
    ErrandKind,
    ErrandState,
    EventKind,
    EventState,
    FeedState,
    RunState,
    Stream,
)
from db.vault import Vault

DAYS = ("20261116", "20261117", "20261118")  # one that landed, one held, one to be sent
# What nobody has, under the names that `give` returns.
NOTHING = {
    "user": "nobody",
    "user_id": "987654321",
    "goal": "nobodys-goal",
    "calm_goal": "nobodys-calm-goal",
    "feed": "987654321",
    "day": "20261117",
    "date": "2026-11-17",
    "source": "987654321",
    "source_name": "nobodys-source",
    "spare": "nobodys-spare",
    "event": "0" * 26,
    "errand": "0" * 26,
    "run": "987654321",
    "channel": "987654321",
    "backfill": "987654321",
    "point": "987654321",
    "gate": "0" * 20,
}
# Names that say whose something is; a day is everybody's.
IDENTITIES = frozenset(NOTHING) - {"day", "date"}


def give(
    session: Session, vault: Vault, name: str, *, now: float, id_prefix: str
) -> dict[str, str]:
    """Make this person and all that they have; the names of it. Everything is called after them."""
    user = User(beeminder_id=f"u-{name}", username=name, timezone="Europe/Paris", created_at=now)
    session.add(user)
    session.flush()
    source = Source(
        user_id=user.id,
        name=f"{name}-plant",
        provider="bemserver",
        settings={"url": f"https://{name}.example.org/api/v0", "email": f"{name}@example.org"},
        credentials_cipher=vault.encrypt('{"password": "canary"}'),
        quota_key=f"bemserver:{name}-plant",
        created_at=now,
    )
    goal = Goal(
        user_id=user.id,
        slug=f"{name}-energy",
        declared_slug=f"{name}-energy",
        beeminder_id=f"g-{name}",
        kyoom=True,
        aggday="sum",
        yaw=1,
        dir=1,
        gunits="kWh",
        autodata="waggle",
        facts_at=now - 60,
    )
    channel = Channel(
        user_id=user.id,
        name="ntfy",
        url_cipher=vault.encrypt(f"ntfy://ntfy.example.org/{name}"),
        url_hash=vault.fingerprint(f"ntfy://ntfy.example.org/{name}"),
        created_at=now,
    )
    calm = Goal(user_id=user.id, slug=f"{name}-output", declared_slug=f"{name}-output")
    spare = Source(user_id=user.id, name=f"{name}-spare", provider="bemserver")
    session.add_all([source, spare, goal, calm, channel])
    session.flush()
    quiet = Feed(
        goal_id=calm.id,
        source_id=source.id,
        metric="timeseries_aggregate",
        params={"timeseries": 2},
        last_synced_at=now - 60,
        due_at=now + 600,
    )
    session.add(quiet)
    feed = Feed(
        goal_id=goal.id,
        source_id=source.id,
        metric="timeseries_aggregate",
        params={"timeseries": 1, "aggregation": "sum"},
        state=FeedState.FAILING,
        last_error=f"the source of {name} does not answer",
        failing_since=now - 3600,
        last_synced_at=now - 125,
        due_at=now + 600,
    )
    run = Run(
        source_id=source.id,
        run_id=f"run-of-{name}",
        connector=f"orders-of-{name}",
        state=RunState.RUNNING,
        stream=Stream.OPEN,
        progress=0.5,
        rows=1200.0,
        started_at=now - 60,
        seen_at=now - 1,
    )
    session.add_all([feed, run])
    session.flush()
    backfill = Backfill(
        feed_id=feed.id,
        first_day="20260101",
        last_day="20261118",
        next_day="20260601",
        state=BackfillState.WORKING,
        asked_at=now - 300,
    )
    event = Event(
        id=f"{id_prefix}{inbox.new_id(now)[1:]}",
        kind=EventKind.AUTOFETCH,
        user_id=user.id,
        goal_id=goal.id,
        payload={"username": name, "slug": goal.slug},
        state=EventState.FAILED,
        attempts=3,
        error={"code": "unreachable", "message": f"the source of {name} does not answer"},
        received_at=now - 90,
        finished_at=now - 60,
    )
    errand = Errand(
        id=f"{id_prefix}{inbox.new_id(now)[1:]}",
        kind=ErrandKind.LINK,
        key=errands.key_of(ErrandKind.LINK, source_id=source.id),
        user_id=user.id,
        source_id=source.id,
        params={"name": f"{name}/{calm.slug}", "label": None},
        state=ErrandState.DONE,
        answer={
            "feed": f"{name}/{calm.slug}",
            "goal_id": calm.id,
            "feed_id": quiet.id,
            "new": True,
            "before": None,
            "now": "waggle",
            "said": [],
            "failed": [],
        },
        asked_at=now - 30,
        ended_at=now - 20,
    )
    session.add_all([backfill, event, errand])
    session.flush()
    session.add(Cover(event_id=event.id, feed_id=feed.id or 0, attempts=3))
    waiting = _points(session, feed, goal, name, now)
    quota = Quota(
        key=source.quota_key or "",
        vendor="bemserver",
        title=source.name,
        closed_at=now - 60,
        closed_until=now + 600,
        proven_at=now - 90,
    )
    session.add(quota)
    notices.raise_(
        session,
        user_id=user.id or 0,
        subject=f"feed:{feed.id}",
        kind="units",
        message=f"{name} counts two units",
        now=now - 60,
    )
    session.add(
        Deed(
            at=now - 50, actor=name, user_id=user.id, action="pause", subject=f"{name}/{goal.slug}"
        )
    )
    return {
        "user": name,
        "user_id": str(user.id),
        "goal": goal.slug,
        "calm_goal": calm.slug,
        "feed": str(feed.id),
        "day": DAYS[1],
        "date": "2026-11-17",
        "source": str(source.id),
        "source_name": source.name,
        "spare": spare.name,
        "event": event.id,
        "errand": errand.id,
        "run": str(run.id),
        "channel": str(channel.id),
        "backfill": str(backfill.id),
        "point": str(waiting),
        "gate": mark(vault, quota.key),
    }


def mark(vault: Vault, gate: str) -> str:
    """What stands for a gate in addresses of pages."""
    return vault.fingerprint(gate)[:20]


def _points(session: Session, feed: Feed, goal: Goal, name: str, now: float) -> int:
    """A datapoint of each state; the id of the one that is to be sent."""
    states = (DatapointState.LANDED, DatapointState.HELD, DatapointState.PENDING)
    for number, (day, state) in enumerate(zip(DAYS, states, strict=True)):
        there = 1.5 + number if state != DatapointState.PENDING else None
        starts_at = now - (3 - number) * 86400.0
        session.add(
            Day(
                feed_id=feed.id or 0,
                daystamp=day,
                starts_at=starts_at,
                ends_at=starts_at + 86400.0,
                value=2.25 + number,
                unit="kWh",
                note=f"{name} slept" if state == DatapointState.PENDING else None,
                seen_at=now - 125,
            )
        )
        point = Datapoint(
            goal_id=goal.id or 0,
            feed_id=feed.id or 0,
            requestid=f"w-{name}-{day}",
            daystamp=day,
            value=2.25 + number,
            comment=f"of {name}'s meter",
            content_hash=f"new-{day}",
            landed_hash=None if there is None else f"old-{day}",
            landed_value=there,
            sent_value=there,
            state=state,
            held_at=now - 500 if state == DatapointState.HELD else None,
            error=f"would make {name}'s day worse" if state == DatapointState.HELD else None,
            beeminder_id=f"b-{name}-{day}",
            sent_at=now - 1000,
            landed_at=None if there is None else now - 1000,
        )
        session.add(point)
        session.flush()
        session.add(
            Sending(
                datapoint_id=point.id or 0,
                epoch=1,
                value=point.value,
                comment=point.comment,
                sent_at=now - 1000,
                answered_at=now - 999,
                status="created",
            )
        )
    return point.id or 0
