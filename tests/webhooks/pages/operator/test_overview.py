"""The first page: what is wrong comes first, with what to do; figures are those of the ledger."""

import re

import pytest

from db.models import Feed, LoginLink, User, Worker
from tests.db.counting import statements


def test_what_is_wrong_stands_first_with_what_to_do(operator, house, serving, words):
    """No worker, refused links, dead events, closed gates; each leads to where it is mended."""
    house.event(1, "dead")
    with serving.ledger.write() as session:
        session.get_one(User, 2).state = "reauthorize"
    page = operator.get("/operator")
    text = words(page)

    assert text.index("What is wrong") < text.index("No worker runs") < text.index("Last sync")
    for told in ("1 event given up since yesterday.", "1 refused login.", "2 closed gates."):
        assert told in text
    assert "/operator/inbox?state=dead&amp;age=day" in page.text
    assert "sqlite" in text
    assert re.search(r"Version \d+\.\d+\.\d+", text)


def test_a_house_in_order_says_so(operator, house, serving, words):
    """An empty box of troubles would teach people to look past it."""
    with serving.ledger.write() as session:
        for quota in ("alice", "bob"):
            session.connection().exec_driver_sql(
                f"DELETE FROM quota WHERE key = 'bemserver:{quota}'"  # noqa: S608 -- names of the test
            )
        session.add(Worker(name="w", queues="x", slots=8, busy=3, started_at=0, seen_at=house.now))
        for feed in (1, 2):
            session.get_one(Feed, feed).due_at = house.now + 60
    text = words(operator.get("/operator"))

    assert "All is well" in text
    assert "What is wrong" not in text
    assert "5 of 8 slots free" in text


def test_a_broker_that_is_gone_is_told(serve, words):
    """First of all, and that callbacks are stored all the same."""
    serving = serve(broker_ok=lambda: False)
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("once"), username="", expires_at=9e12)
        )
    serving.client.get("/login/once")
    text = words(serving.client.get("/operator"))

    assert "The broker: not reachable." in text
    assert "Callbacks are still stored" in text


def test_the_part_that_changes_is_a_part(operator, house):
    """What is fetched every few seconds is no page of its own, and the page asks for it."""
    page, part = operator.get("/operator"), operator.get("/operator/figures")

    assert 'hx-get="/operator/figures" hx-trigger="every 5s"' in page.text
    assert '<noscript><meta http-equiv="refresh"' in page.text
    assert "<html" not in part.text
    assert "being worked on" in part.text
    assert part.headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"]


PAGES = (
    "/operator",
    "/operator/inbox",
    "/operator/outbox",
    "/operator/gates?all=yes",
    "/operator/workers",
    "/operator/people",
    "/operator/log",
    "/operator/tables/event/list",
    "/events",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_as_often_and_stays_small_however_much_there_is(operator, house, serving, path):
    """A hundred events, deeds and people more are no more questions, and no heavy page."""
    house.event(1)
    operator.get(path)
    with statements(serving.ledger) as few:
        assert operator.get(path).status_code == 200
    with serving.ledger.write() as session:
        session.add_all([User(username=f"a-rather-long-name-{n}") for n in range(100)])
        session.add_all(
            [Worker(name=f"w{n}", queues="x", slots=1, started_at=0, seen_at=0) for n in range(20)]
        )
    for number in range(100):
        house.event(number % 2 + 1, "failed")
    with statements(serving.ledger) as many:
        page = operator.get(path)

    assert len(many) == len(few)
    assert len(page.content) < 30_000
