"""No key, password or token of RIME outside its row: not in a table, a log line or an output."""

import io

import pytest
from sqlmodel import select

from db.metadata import METADATA
from db.models import Feed
from db.states import FeedState, Lane
from simulators.faults import Fault
from tests.tasks import rime_world, test_sync_secrets
from tests.tasks.rime_world import EMAIL, KEY, PASSWORD, RimeWorld, at, ran
from tests.tasks.scenes import look_up
from tests.world import World

logged = test_sync_secrets.logged


def newest(shop: RimeWorld, kind: str) -> str:
    """The token of this kind that is in use."""
    return [token for token, one in shop.rime.state.sessions.items() if one.kind == kind][-1]


def live_everything(shop: RimeWorld) -> set[str]:
    """Both ways in, each request told its own secrets back by an unkind server; the secrets."""
    shop.rime.state.add_connector(rime_world.PROJECT, "invoices")
    shop.feed("bykey", shop.source(), "rows_extracted")
    login = shop.source("login", email=EMAIL, secrets={"password": PASSWORD})
    shop.feed("bylogin", login, "runs_succeeded", connector="invoices")
    shop.world.work()
    seen = {KEY, PASSWORD}
    for status in (500, 422, 401):
        sent = {
            "orders/runs": KEY,
            "invoices/runs": newest(shop, "access"),
            "auth/refresh": newest(shop, "refresh"),
            "auth/login": PASSWORD,
        }
        seen |= set(sent.values())
        for path, secret in sent.items():
            error = {"message": f"not {secret}", "details": [{"field": secret, "message": secret}]}
            shop.rime.faults.add(Fault(path=path, status=status, body={"error": error}))
        for seconds in (100, 4000):  # before and after the end of a session
            shop.world.clock.advance(seconds)
            for slug in ("bykey", "bylogin"):
                shop.world.call_back(slug)
                look_up(shop.world)
            shop.world.work(lane=Lane.URGENT)
            shop.world.work()
        shop.rime.faults.clear()
        with shop.world.ledger.write() as session:
            for feed in session.exec(select(Feed)):
                feed.state, feed.due_at = FeedState.ACTIVE, shop.world.clock.at
                session.add(feed)
        shop.world.work()
    return seen


def test_canaries_are_found_nowhere(
    world: World, logged: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """What each request sent is cleaned out of whatever came back."""
    with rime_world.beside(world) as shop:
        ran(shop.rime, at("20 09:00"), rows=5)
        own = live_everything(shop)
        hits = shop.rime.faults.count("auth/refresh"), shop.rime.faults.count("auth/login")
        rows = "\n".join(
            repr(row)
            for table in METADATA.sorted_tables
            for row in test_sync_secrets._dump(world, table.name)
        )
        seen = {"rows": rows, "log": logged.getvalue(), "output": "".join(capsys.readouterr())}
    assert "put_back" in seen["log"]
    assert "[redacted]" in rows
    assert min(hits) > 1
    for canary in own:
        assert [where for where, text in seen.items() if canary in text] == []
