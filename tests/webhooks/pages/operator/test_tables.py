"""The tables: every row can be looked at, none can be changed, and no script of others is sent."""

import re
import subprocess
import sys

import pytest
from sqlalchemy.exc import OperationalError

from db.models import LoginLink, User
from db.models_limits import Quota
from db.models_notebook import Sighted
from db.models_points import Day
from webhooks import table_views

BASE = "/operator/tables"
NOT_HERE = {"alembic_version", "login_link", "quota", "tally", "validator"}


@pytest.fixture
def rows(serving, house):
    """Rows with keys of every shape: of several parts, with slashes, semicolons and marks."""
    house.event(1)
    with serving.ledger.write() as session:
        session.add(Day(feed_id=1, daystamp="20261101", starts_at=0, ends_at=1, note="a note"))
        session.add(Sighted(source_id=1, kind="k;/\\%", record="r&?#'\"<b>", mark=1.25, at=2.0))
    return house


def tables(operator):
    """The names of all tables that there are."""
    return re.findall(rf"{BASE}/([\w-]+)/list", operator.get(f"{BASE}/").text)


def test_all_tables_but_those_of_secrets_are_there(operator, rows, serving):
    """One-time links, keys of gates and addresses of sources are no tables here."""
    found = {view.__tablename__ for view in table_views.TABLES}
    with serving.ledger.read() as session:
        asked = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        every = set(session.connection().exec_driver_sql(asked).scalars())
    assert every - found == NOT_HERE
    assert len(tables(operator)) == len(found)
    assert not found & NOT_HERE
    assert not {LoginLink, Quota} & set(table_views.TABLES)


def test_every_row_is_reached_from_its_list(operator, rows):
    """Whatever its key is made of."""
    seen = 0
    for name in tables(operator):
        page = operator.get(f"{BASE}/{name}/list")
        assert page.status_code == 200, name
        for way in set(re.findall(rf'href="({BASE}/{name}/details/[^"]+)"', page.text)):
            row = operator.get(way)
            assert row.status_code == 200, way
            assert "<dl" in row.text
            seen += 1
    assert seen == 13
    assert "&lt;b&gt;" in operator.get(f"{BASE}/sighted/list").text


def test_lists_are_paged_searched_and_filtered(operator, serving, house):
    """Twenty-five to a page, each row once; what was typed is no pattern."""
    with serving.ledger.write() as session:
        session.add_all([User(username=f"p{number}_") for number in range(60)])
        session.get_one(User, 2).state = "deauthorized"
    found = []
    for page in (1, 2, 3):
        text = operator.get(f"{BASE}/user/list?page={page}").text
        found += re.findall(r"/user/details/(\d+)", text)
    assert len(found) == len(set(found)) == 62
    assert re.findall(
        r"/user/details/(\d+)", operator.get(f"{BASE}/user/list?search=ALI").text
    ) == ["1"]
    assert "No row" in operator.get(f"{BASE}/user/list?search=p%25_").text
    state = operator.get(f"{BASE}/user/list?state=deauthorized").text
    assert re.findall(r"/user/details/(\d+)", state) == ["2"]


@pytest.mark.parametrize(
    "path",
    [
        "user/create", "user/edit/1", "user/delete?pks=1", "user/export/csv", "user/import",
        "user/ajax/lookup?name=x&term=y", "login", "logout", "statics/js/main.js",
        "login-link/list", "quota/list", "validator/list", "nothing/list", "user/details/77",
        "user/details/x", "user/details/1;2", "day/details/1", "user/details/99999999999999999999",
        "sighted/details/1;k;r;nan", "sighted/details/1;k;r;inf", "user/list/",
        "user/1/username/download/",
    ],
)  # fmt: skip
def test_what_could_change_or_carry_away_is_not_there(operator, house, path):
    """Nothing but lists and rows, whoever asks; odd keys are rows that nobody has."""
    assert operator.get(f"{BASE}/{path}").status_code == 404
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        told = operator.client.request(method, f"{BASE}/{path}", data={"csrf": operator.csrf})
        assert told.status_code == 405
    assert house.deeds() == []


@pytest.mark.parametrize(
    "query",
    [
        "page=x", "page=1&pageSize=0", "sortBy=token_cipher", "search=%00", "state=a%00b",
        "search=" + "x" * 101,
    ],
)  # fmt: skip
def test_what_cant_be_meant_is_a_clear_400(operator, house, query):
    """Said as everywhere else, and before a database sees it."""
    told = operator.get(f"{BASE}/user/list?{query}", headers={"Accept": "text/html"})
    assert told.status_code == 400
    assert "<h1>" in told.text


def test_our_policy_for_pages_stands_as_it_is(operator, rows):
    """No relaxation: the same headers, no script and no style but files of ours."""
    usual = operator.get("/events").headers
    for path in (f"{BASE}/", f"{BASE}/user/list", f"{BASE}/user/details/1"):
        page = operator.get(path)
        for name in ("Content-Security-Policy", "Cache-Control", "Referrer-Policy"):
            assert page.headers[name] == usual[name]
        assert page.headers.get_list("Content-Security-Policy", split_commas=False) == [
            usual["Content-Security-Policy"]
        ]
        ours = r'<script src="/static/[\w./-]+\?v=[0-9a-f]{12}" defer></script>'
        assert "<script" not in re.sub(ours, "", page.text)
        assert not re.search(r"<[^>]+ (?:style|on\w+)=", page.text)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)


def test_the_library_is_carried_by_nobody_who_does_not_open_a_table():
    """The receiver starts without it."""
    code = (
        "import sys, webhooks.app, webhooks.serve; "
        "sys.exit(any(name.split('.')[0] in ('sqladmin', 'wtforms') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0


def test_its_connections_can_not_write(serving):
    """Even if somebody found a way to ask for it."""
    with serving.ledger.reading_engine.connect() as connection, pytest.raises(OperationalError):
        connection.exec_driver_sql("DELETE FROM worker")
