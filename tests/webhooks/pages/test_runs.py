"""The page of runs and its stream: one's own, as they are now, and for those who signed in."""

import contextlib
import json
import re

import httpx
import pytest
from sqlmodel import select

from db.models import LoginLink, Source, User
from db.models_runs import Run
from webhooks import run_streams, static_files, streams
from webhooks.services import Identity

STREAM = {"Accept": "text/event-stream"}
HOSTILE = "</script><script>alert('x')</script>"


@pytest.fixture
def runs(serving):
    """Alice and Bob, each with a run that goes on; Alice has one that is over too."""
    now = serving.clock.now()
    with serving.ledger.write() as session:
        for number, name in enumerate(("alice", "bob"), start=1):
            session.add(User(id=number, beeminder_id=f"u{number}", username=name))
            session.flush()
            session.add(Source(id=number, user_id=number, name=f"{name}-shop", provider="rime"))
            session.flush()
            session.add(
                Run(
                    source_id=number,
                    run_id=f"run-of-{name}",
                    connector="orders",
                    progress=0.999,
                    rows=12345.0,
                    counters={"steps_done": 2, "steps_total": 5, "step": HOSTILE},
                    stream="retrying",
                    stream_error="closed with code 1006",
                    reconnects=1,
                    error=HOSTILE,
                    seen_at=now - 7,
                    started_at=now - 600,
                )
            )
        session.add(
            Run(
                source_id=1,
                run_id="over-of-alice",
                state="completed",
                started_at=now - 900,
                finished_at=now - 700,
            )
        )


def sign_in(serving, name="alice"):
    """A browser of this person's."""
    serving.services.people["t"] = Identity(f"u{1 if name == 'alice' else 2}", name, None)
    client = httpx.Client(base_url=serving.url, timeout=10)
    location = client.get("/beeminder/connect").headers["Location"]
    client.get(
        "/beeminder/callback",
        params={"state": location.partition("state=")[2], "access_token": "t"},
    )
    return client


@pytest.fixture
def alice(serving, runs):
    """Alice's browser."""
    with contextlib.closing(sign_in(serving)) as client:
        yield client


def change(serving, run_id="run-of-alice", **values):
    """What a follower writes."""
    with serving.ledger.write() as session:
        row = session.exec(select(Run).where(Run.run_id == run_id)).one()
        for name, value in values.items():
            setattr(row, name, value)


@contextlib.contextmanager
def watching(client, path="/runs/stream", **options):
    """The lists of runs that a stream tells, one after the other, and its response."""
    with client.stream("GET", path, **options) as response:
        assert response.status_code == 200
        lines = response.iter_lines()

        def told():
            return json.loads(
                next(line for line in lines if line.startswith("data: ")).removeprefix("data: ")
            )

        yield told, response


def test_the_page_tells_all_that_is_known(alice):
    """What runs first; bar, steps, rows, stream, reconnects, errors, in words."""
    text = alice.get("/runs").text
    words = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    for told in (
        "connector orders",
        "99 % 2 of 5 steps, at &lt;/script&gt;",
        "12,345",
        "connecting again 1 reconnect closed with code 1006",
        "7 s ago",
        "10 min ago",
        "not yet",
    ):
        assert told in words
    assert text.index("run-of-alice") < text.index("over-of-alice")
    assert '<progress max="1" value="0.999"' in text


def test_the_page_loads_one_script_of_ours_and_runs_nothing_else(alice):
    """No text becomes a script, inline ones are forbidden, and without any the page reloads."""
    response = alice.get("/runs")
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", response.text, re.DOTALL)
    assert {body for _, body in scripts} == {""}
    assert scripts[-1] == (f' src="{static_files.address("runs.js")}" defer', "")
    policy = response.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'"} <= set(policy)
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in response.text
    script = alice.get("/static/runs.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "innerHTML" not in script.text


def test_the_script_finds_what_the_page_has(alice):
    """Each name that it writes to is in the row that it copies, and each place is written to."""
    script = alice.get("/static/runs.js").text
    page = alice.get("/runs").text
    row = page.partition('<template id="row">')[2].partition("</template>")[0]
    written = re.findall(r'(?:write|when)\("(\w+)"', script)
    assert sorted(written) == sorted(re.findall(r'data-of="(\w+)"', row))
    found = set(re.findall(r'getElementById\("(\w+)"', script))
    assert found <= set(re.findall(r' id="(\w+)"', page))


def test_a_stream_tells_at_once_and_then_what_changed(serving, alice):
    """The keys of the command line; only one's own; nothing where nothing changed."""
    with watching(alice) as (told, response):
        first = told()
        change(serving, "run-of-bob", rows=99999.0)
        change(serving, rows=12346.0, progress=1.0)
        second = told()
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-store"
    assert "Content-Length" not in response.headers
    assert [run["run"] for run in first] == ["run-of-alice", "over-of-alice"]
    assert first[0].keys() >= {"run", "source", "state", "progress", "attempt", "rows",
                               "started_at", "finished_at"}  # fmt: skip
    assert (first[0]["rows"], second[0]["rows"]) == (12345.0, 12346.0)
    assert first[1] == second[1]


def test_the_page_itself_is_a_stream_for_whoever_accepts_one(serving, alice):
    """`Accept: text/event-stream` at /runs; a browser gets the page."""
    with watching(alice, "/runs", headers=STREAM) as (told, _):
        assert told()[0]["run"] == "run-of-alice"
    assert alice.get("/runs", headers={"Accept": "text/html"}).text.startswith("<!doctype")


def test_operators_watch_everybody_and_others_themselves(serving, alice):
    """Three who watch at once, each what is theirs, also what comes later."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("once"), username="", expires_at=9e12)
        )
    serving.client.get("/login/once")
    with (
        contextlib.closing(sign_in(serving, "bob")) as bob,
        watching(alice) as (hers, _),
        watching(bob) as (his, _),
        watching(serving.client) as (all_of_them, _),
    ):
        firsts = [{run["run"] for run in told()} for told in (hers, his, all_of_them)]
        change(serving, "run-of-bob", rows=2.0)
        change(serving, "run-of-alice", rows=1.0)
        rows = {}
        while set(rows) < {"run-of-alice", "run-of-bob"} or set(rows.values()) != {1.0, 2.0}:
            rows = {run["run"]: run["rows"] for run in all_of_them() if run["rows"]}
        assert his()[0]["rows"] == 2.0
        assert hers()[0]["rows"] == 1.0
    assert firsts == [
        {"run-of-alice", "over-of-alice"},
        {"run-of-bob"},
        {"run-of-alice", "over-of-alice", "run-of-bob"},
    ]


@pytest.mark.parametrize(("path", "headers"), [("/runs/stream", {}), ("/runs", STREAM)])
def test_strangers_watch_nothing(serving, runs, path, headers):
    """401 without a session, also with a cookie that is made up."""
    for cookies in ({}, {"waggle_session": "made.up"}):
        with httpx.Client(base_url=serving.url, cookies=cookies) as client:
            response = client.get(path, headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "not_signed_in"


def test_head_ends_at_once(alice):
    """The headers alone, and no stream that nobody reads."""
    response = alice.head("/runs/stream")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/event-stream")


def test_who_goes_away_is_dropped(serving, alice, until):
    """The figure of watchers goes up, and down again when the browser is closed."""

    def watchers():
        return "waggle_run_watchers 1.0" in serving.client.get("/metrics").text

    with watching(alice) as (told, _):
        told()
        until(watchers)
    until(lambda: not watchers())


def test_too_many_are_asked_to_come_again(serving, alice, monkeypatch):
    """503 with Retry-After; there is room again when somebody goes."""
    monkeypatch.setattr(serving.receiver.run_streams, "_most", 1)
    with watching(alice) as (told, _):
        told()
        response = alice.get("/runs/stream")
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert response.json()["error"]["code"] == "no_room"
    assert streams.MOST_WATCHERS == 200


def test_many_runs_stand_on_several_pages(serving, alice, monkeypatch):
    """Each run on exactly one of them; only the first page goes on by itself."""
    monkeypatch.setattr(run_streams, "MOST_RUNS", 2)
    with serving.ledger.write() as session:
        session.add_all(
            Run(source_id=1, run_id=f"old-{number}", state="completed", finished_at=number)
            for number in range(1, 4)
        )
    pages, address = [], "/runs"
    while address:
        pages.append(alice.get(address).text)
        found = re.search(r'href="(/runs[^"]*)" rel="next"', pages[-1])
        address = found and found[1]

    told = [re.findall(r'data-of="run">([^<]+)<', page) for page in pages]
    assert told == [["run-of-alice", "over-of-alice"], ["old-3", "old-2"], ["old-1"]]
    assert ["data-stream" in page for page in pages] == [True, False, False]
    assert ["runs.js" in page for page in pages] == [True, False, False]
    assert 'href="/runs" rel="prev"' in pages[1]
    assert alice.get("/runs?skip=-1").status_code == 404
