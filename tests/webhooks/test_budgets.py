"""What pages cost: bytes on the way to a browser, and questions to the ledger.

How long they take is measured by `python -m bench.pages`, on a machine that has nothing else to do.
"""

import contextlib
import itertools
import re
from dataclasses import dataclass

import pytest
from cryptography.fernet import Fernet

from bench import pages_world
from db.engine import Ledger
from db.vault import Vault
from tests.db import effort
from tests.services import postgresql
from tests.webhooks import answers, belongings, samples, visitors
from webhooks import static_files

MOST_BYTES = 100_000
MOST_QUERIES = 25
MOST_ROWS = 20_000  # for each question; feeds, goals and people may all be looked at
SMALL, LARGE = 10, 1000
# The library of the plain tables counts their rows, to say how many pages there are.
COUNTED = re.compile(r"SELECT count\(\*\) AS count_1 \nFROM \w+")
ASSET = re.compile(r'(?:src|href)="/static/([^"?]+)')
LOOKS = samples.looks()
VIEWERS = ("alice", "operator")


@dataclass
class Seen:
    """One look at a page: its HTML, and what was asked of the ledger for it."""

    status: int
    text: str
    queries: list[str]
    rows: dict[str, int]

    def size(self):
        """Bytes of the page with its styles and scripts, as they are before they are packed."""
        assets = {name for name in ASSET.findall(self.text) if not name.endswith(".svg")}
        return len(self.text.encode()) + sum(len(static_files.FILES[one].plain) for one in assets)


def look(serving, clients, names):
    """Every page once for each viewer."""
    for one, client in itertools.product(LOOKS, clients.values()):
        client.get(one.address(names))  # some ask a vendor; what they show then is looked at
    with serving.ledger.write() as session:
        answers.give(session, serving.clock.now())
    seen = {}
    for one in LOOKS:
        for who, client in clients.items():
            with effort.questions(serving.ledger) as asked:
                answer = client.get(one.address(names))
            rows = {} if serving.ledger.is_sqlite else effort.of(serving.ledger, asked)
            queries = [one.statement for one in asked]
            seen[one.name, who] = Seen(answer.status_code, answer.text, queries, rows)
    return seen


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]
)
def looks(request, starting, _migrated, tmp_path_factory):
    """Every page with ten feeds, and with a thousand and a hundred times as many events."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("budgets") / "waggle.db"
        path.write_bytes(_migrated)
        url = f"sqlite:///{path}"
    else:
        url = request.getfixturevalue("_postgresql_database")
        postgresql.empty(url)
    with (
        contextlib.closing(Ledger(url)) as ledger,
        starting(ledger, Vault([Fernet.generate_key().decode()])) as start,
        contextlib.ExitStack() as stack,
    ):
        serving = start()
        gate = belongings.mark(serving.vault, pages_world.GATE)
        names = {"gate": gate} | pages_world.fill(ledger, feeds=SMALL, now=serving.clock.now())
        clients = {who: stack.enter_context(visitors.browser(serving)) for who in VIEWERS}
        visitors.connect(serving, clients["alice"], "alice")
        visitors.open_link(serving, clients["operator"])
        few = look(serving, clients, names)
        assert few["/", "alice"].queries  # they are noticed
        pages_world.fill(ledger, feeds=LARGE, now=serving.clock.now())
        return few, look(serving, clients, names)


def of_pages(test):
    """A test of each page as each viewer sees it."""
    cases = [(one.name, who) for one in LOOKS for who in VIEWERS]
    names = [f"{name} {who}" for name, who in cases]
    return pytest.mark.parametrize("page", cases, ids=names)(test)


@of_pages
def test_a_page_is_small_however_much_there_is(looks, page):
    """With all that it loads, before it is packed."""
    few, many = (found[page] for found in looks)
    path, who = page
    hidden = who != "operator" and path.startswith("/operator")

    assert few.status == many.status == (404 if hidden else 200)
    assert few.size() < MOST_BYTES
    assert many.size() < MOST_BYTES


@of_pages
def test_a_page_asks_as_much_of_ten_feeds_as_of_a_thousand(looks, page):
    """A fixed number of questions, none for each row, and an index leads to what is shown.

    Also where one person has nearly everything and others have nothing.
    """
    few, many = (found[page] for found in looks)

    assert len(many.queries) == len(few.queries), "\n".join(many.queries)
    assert len(many.queries) <= MOST_QUERIES
    for statement, rows in many.rows.items():
        assert rows <= MOST_ROWS or COUNTED.fullmatch(statement), f"{rows} rows: {statement}"
