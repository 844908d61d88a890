"""`waggle doctor --callback`: does Beeminder reach us, and is its callback answered in time?

Beeminder is asked once to fetch the goal's data anew, and its callback is awaited in the ledger:
that is the whole way, from its servers through the public address to the datapoint.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx
from rich.console import Console
from sqlmodel import col, select

import clients
from clients.errors import ClientError
from db import inbox, workers
from db.models import Event
from db.names_of_feeds import Named
from db.states import EventKind, EventState
from tasks import datasource
from tasks.beeminder import Access
from tasks.gates import DeferredError
from tasks.runtime import Runtime
from worker import runtime
from worker.cli import output
from worker.cli.findings import Finding
from worker.cli.house import House, feeds_of, opened
from worker.settings import Settings

T = TypeVar("T")
CALL_SECONDS = 15.0
PROBE_SECONDS = 5.0
POLL_SECONDS = 0.1
CLOCKS_APART = 2.0  # the receiver's clock and ours, both carried on from the database's


def examine(name: str, *, timeout: float) -> Iterator[Finding]:
    """The way of one callback, step by step; ends at what is red. `timeout` in seconds."""
    with opened() as house:
        with house.ledger.read() as session:
            named = feeds_of(session, name)[0]
        if not house.settings.beeminder_app_name:
            yield Finding(
                "app",
                "red",
                "no app is registered, so Beeminder calls nobody",
                "register one at Beeminder (`waggle init` prints its URLs) and set "
                "WAGGLE_BEEMINDER_APP_NAME; until then feeds go by their own schedule",
            )
            return
        yield Finding("app", "ok", house.settings.beeminder_app_name)
        with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:
            yield from _way(house, rt, named, timeout)


def _way(house: House, rt: Runtime, named: Named, timeout: float) -> Iterator[Finding]:
    with house.ledger.read() as session:
        alive = workers.alive(session, house.now())
    if not alive:
        text = "none is running: a callback would wait for nothing"
        yield Finding("workers", "red", text, "waggle up")
        return
    yield Finding("workers", "ok", f"{alive} alive")
    yield _receiver(rt.http, house.settings)
    access = Access(rt, named.goal.user_id)
    try:
        goal = access.call(lambda client: client.goal(named.goal.slug), deadline=CALL_SECONDS)
        source = _source(named, goal, rt.options.app_name)
        yield source
        if source.state == "red":
            return
        asked_at, began = house.now() - CLOCKS_APART, time.monotonic()
        known = set(_callbacks(house, named, since=asked_at))
        queued = access.call(
            lambda client: client.refresh_graph(named.goal.slug), deadline=CALL_SECONDS
        )
    except (ClientError, DeferredError) as exc:
        yield Finding("Beeminder", "red", str(exc), "`waggle doctor` says more")
        return
    if queued:
        yield Finding("refresh", "ok", "Beeminder fetches the goal's data anew")
    else:
        text = "Beeminder says that it does not fetch the goal's data now"
        yield Finding("refresh", "odd", text, "try again in a few minutes if nothing comes")
    with _spinner() as say:
        say("waiting for the callback")
        ends_at = began + timeout
        event_id = _await(lambda: _first_but(known, house, named, since=asked_at), ends_at)
        if event_id is None:
            yield _silence(house.settings, timeout)
            return
        came = time.monotonic() - began
        yield Finding("callback", "ok", f"came after {came:.1f} s, event {event_id}")
        say("waiting for its answer")
        _await(lambda: _ended(house, event_id) or None, ends_at)
        yield _answer(house, event_id, took=time.monotonic() - began - came)


def _receiver(http: httpx.Client, settings: Settings) -> Finding:
    url = f"{settings.public_url}/healthz"
    remedy = (
        "does the receiver run (`waggle up`), does the way from WAGGLE_PUBLIC_URL lead to it? From "
        "inside a network its public address may be out of reach although it works from outside"
    )
    try:
        answer = http.get(url, timeout=PROBE_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return Finding("receiver", "odd", f"{url}: {type(exc).__name__}", remedy)
    if answer.status_code != httpx.codes.OK:
        return Finding("receiver", "odd", f"{url} answers {answer.status_code}", remedy)
    return Finding("receiver", "ok", f"{url} answers")


def _source(named: Named, goal: clients.Goal, app_name: str | None) -> Finding:
    there = datasource.shown(goal.autodata)
    if datasource.same(goal.autodata, app_name):
        return Finding("data source", "ok", there)
    name = f"{named.user.username}/{named.goal.slug}"
    if named.goal.datasource_before is not None and not datasource.is_free(goal.autodata):
        text = f"Waggle was set, and Beeminder shows {there}: another source, or another name of it"
        return Finding("data source", "odd", text, f"waggle link {name}")
    text = f"{there}, so Beeminder does not call Waggle for this goal"
    return Finding("data source", "red", text, f"waggle link {name}")


def _callbacks(house: House, named: Named, *, since: float) -> list[str]:
    """Autofetch callbacks of this goal; the receiver stores names, goals are looked up later."""
    with house.ledger.read() as session:
        found = session.exec(
            select(Event.id, Event.payload)
            .where(
                col(Event.kind) == EventKind.AUTOFETCH,
                col(Event.received_at) >= since,
                col(Event.payload)["slug"].as_string() == named.goal.slug,
            )
            .order_by(col(Event.received_at))
        ).all()
    username = named.user.username.lower()
    return [
        event_id
        for event_id, payload in found
        if str(payload.get("username", "")).lower() == username
    ]


def _first_but(known: set[str], house: House, named: Named, *, since: float) -> str | None:
    return next((new for new in _callbacks(house, named, since=since) if new not in known), None)


def _await(look: Callable[[], T | None], ends_at: float) -> T | None:
    while True:
        found = look()
        if found is not None or time.monotonic() >= ends_at:
            return found
        time.sleep(POLL_SECONDS)


def _ended(house: House, event_id: str) -> bool:
    with house.ledger.read() as session:
        return bool(inbox.ended(session, [event_id]))


def _silence(settings: Settings, timeout: float) -> Finding:
    return Finding(
        "callback",
        "red",
        f"none came within {timeout:g} s",
        f"is {settings.public_url} reachable from the internet, and is the app's autofetch URL at "
        "Beeminder the one that `waggle init` prints? A wrong secret is answered 404 there",
    )


def _answer(house: House, event_id: str, *, took: float) -> Finding:
    with house.ledger.read() as session:
        outcome = inbox.outcomes(session, [event_id], house.now())[event_id]
    hold = house.settings.hold_seconds
    why = output.plain(outcome.why() or "no reason is known yet")
    more = f"waggle event {event_id}"
    if outcome.state == EventState.DONE and took <= hold:
        text = f"the goal was fresh after {took:.1f} s, {outcome.datapoints} written"
        return Finding("answer", "ok", text)
    if outcome.state == EventState.DONE:
        text = f"the goal was fresh after {took:.1f} s; Beeminder was told 503 after {hold:g} s"
        return Finding("answer", "odd", text, more)
    if outcome.state in inbox.ENDED:
        return Finding("answer", "red", f"the sync failed: {why}", more)
    return Finding("answer", "red", f"the sync is not done after {took:.1f} s: {why}", more)


@contextlib.contextmanager
def _spinner() -> Iterator[Callable[[str], None]]:
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    with Console(stderr=True, markup=False).status("") as shown:
        yield shown.update
