"""Promises about logs: one handler, both ways in, no secret on the way out."""

import io
import json
import logging
import re
import sys
import threading

import httpx
import pytest
import redis
import structlog
from kombu.exceptions import OperationalError

from worker import logs, redaction

SECRET = "canary/of the house"


@pytest.fixture(autouse=True)
def put_back(monkeypatch):
    """Logging is global: what a test changed is put back."""
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(redaction, "_hidden", ())
    yield
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(capture=False)


@pytest.fixture
def lines():
    """Configure logging and return a function that gives the lines logged since."""

    def configured(form="json", level="info"):
        stream = io.StringIO()
        logs.configure(form, level, stream=stream)
        logs.hide(SECRET)
        return lambda: stream.getvalue().splitlines()

    return configured


def fail(secret):
    """Raise with a secret in the message and a token in the text."""
    raise ValueError(f"refused {secret} auth_token=CANARY")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_leaves_through_the_handler(lines, form):
    """Values, texts, arguments, contexts and tracebacks of both kinds of loggers are clean."""
    logged = lines(form)
    structlog.contextvars.bind_contextvars(requestid="r1", hint=SECRET)
    ours, theirs = structlog.get_logger("ours"), logging.getLogger("theirs")
    ours.info("one", password="CANARY", headers={"Authorization": "CANARY"}, note=SECRET)
    theirs.info("two %s Authorization: Bearer %s", SECRET, "CANARY")
    theirs.warning("extra", extra={"api_key": "CANARY", "url": "http://u:CANARY@h/"})
    for logger in (ours, theirs):
        try:
            fail(SECRET)
        except ValueError:
            logger.exception("three")
    text = "\n".join(logged())
    assert "CANARY" not in text
    assert SECRET not in text
    assert text.count("ValueError: refused *** auth_token=***") == 2
    assert "requestid" in text


def test_json_lines_stay_json(lines):
    """Masking never breaks the line that a log collector parses."""
    logged = lines("json")
    logs.hide('quo"ted')
    structlog.get_logger("ours").info(
        "one", password="CANARY", text='{"password": "x"} api_key="y" quo"ted'
    )
    logging.getLogger("theirs").info('{"auth_token": "%s"}', "CANARY")
    records = [json.loads(line) for line in logged()]
    assert [record["level"] for record in records] == ["info", "info"]
    assert records[0]["password"] == "***"
    assert "CANARY" not in json.dumps(records)


def test_ids_are_bound_by_context(lines):
    """What is bound once stands in every line, also those of libraries."""
    logged = lines("json")
    structlog.contextvars.bind_contextvars(event_id="e1", feed="alice/energy")
    structlog.get_logger("ours").info("sync.done", datapoints=2)
    logging.getLogger("theirs").warning("hm")
    first, second = (json.loads(line) for line in logged())
    assert first["feed"] == second["feed"] == "alice/energy"
    assert (first["event"], first["datapoints"]) == ("sync.done", 2)
    assert first["timestamp"].endswith("Z")


def test_addresses_that_httpx_calls_are_not_logged(lines):
    """A request made at level info or debug leaves no line with its address."""
    for level in ("info", "debug"):
        logged = lines("json", level)
        answer = httpx.MockTransport(lambda _request: httpx.Response(200))
        with httpx.Client(transport=answer) as client:
            client.get("http://example.org/?auth_token=CANARY")
        assert logged() == []


@pytest.mark.parametrize(("level", "expected"), [("info", ["a", "b"]), ("error", ["b"])])
def test_the_level_counts_for_both_kinds(lines, level, expected):
    """Below the level nothing is logged, by nobody."""
    logged = lines("json", level)
    structlog.get_logger("ours").debug("never")
    logging.getLogger("theirs").debug("never")
    structlog.get_logger("ours").info("a")
    logging.getLogger("theirs").error("b")
    assert [json.loads(line)["event"] for line in logged()] == expected


def test_configuring_twice_logs_once(lines):
    """A second call replaces the first: no line comes twice."""
    lines("json")
    logged = lines("json")
    structlog.get_logger("ours").info("a")
    assert len(logged()) == 1


def test_crashes_are_logged_clean(lines):
    """What nobody caught, in the main thread or another, is one clean record."""
    logged = lines("json")
    try:
        fail(SECRET)
    except ValueError as exc:
        sys.excepthook(type(exc), exc, exc.__traceback__)
    # The hook is called by hand: pytest has its own in running threads.
    thread = threading.Thread(target=fail, args=(SECRET,), name="pusher")
    hook = threading.excepthook
    hook(threading.ExceptHookArgs((ValueError, ValueError(SECRET), None, thread)))
    crashed, in_thread = (json.loads(line) for line in logged())
    assert crashed["event"] == "process.crashed"
    assert "auth_token=***" in crashed["exception"]
    assert (in_thread["event"], in_thread["thread"]) == ("thread.crashed", "pusher")
    assert SECRET not in json.dumps([crashed, in_thread])


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_library_that_lost_its_broker_says_so_in_one_line(lines, form):
    """Without a traceback, which is kept for mistakes and for what is not a library's."""
    logged = lines(form)

    def fail(logger, error):
        logging.getLogger(logger).critical("Couldn't ack 1\nstack", exc_info=error)

    for error in (BrokenPipeError(32, "x"), OperationalError("x"), redis.ConnectionError("x")):
        fail("celery.worker.request", error)
    assert len(logged()) == 3
    assert "BrokenPipeError" in logged()[0]
    assert "Traceback" not in "".join(logged())

    fail("celery.worker", ValueError("x"))
    fail("ours", BrokenPipeError(32, "x"))
    assert "\n".join(logged()).count("Error: ") == 2


FORGED = "2026-11-30T00:00:00Z [info     ] login.by_link"
EVIL = [
    f"a\n{FORGED}",
    f"a\r\n{FORGED}",
    f"a\r{FORGED}",
    f"a\x0b{FORGED}\x0c{FORGED}\x1c{FORGED}\x85{FORGED}",
    f"a\u2028{FORGED}\u2029{FORGED}",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b2J",
    "\x1b[31mred\x1b[0m",
    "a\u202eb",
    "a\x00b\x08\x7f",
    '"}\n{"event": "login.by_link", "level": "info',
    "\\n\\u001b[2J",
    "\udc1b[2J",
]
BEGINS = re.compile(r"\d{4}-\d\d-\d\dT\S+Z \[")
SEEN = {"\n"}  # of what can't be seen, this only is in a log: between its lines


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("evil", EVIL, ids=ascii)
def test_one_event_is_one_line_whatever_is_in_it(lines, form, evil):
    """No name of a goal or a browser ends a line or gives an order to a terminal, by either way."""
    logged = lines(form)
    structlog.contextvars.bind_contextvars(feed=evil)
    structlog.get_logger("ours").info("sync.failed", slug=evil, found={evil: [evil]}, **{evil: 1})
    logging.getLogger("theirs").warning("what %s sent", evil)
    logging.getLogger(evil).warning(evil, extra={"path": evil})

    found = logged()
    text = "\n".join(found)
    assert len(found) == 3
    assert {each for each in text if not each.isprintable()} <= SEEN
    if form == "json":
        assert [json.loads(line)["level"] for line in found] == ["info", "warning", "warning"]
        assert json.loads(found[0])["slug"] == evil
    else:
        assert all(BEGINS.match(line) for line in found)


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("evil", EVIL, ids=ascii)
def test_a_traceback_passes_for_no_event(lines, form, evil):
    """The text of an error may be whatever somebody sent: its lines are marked, or in the value."""
    logged = lines(form)
    try:
        fail(evil)
    except ValueError:
        structlog.get_logger("ours").exception("sync.failed")
        logging.getLogger("theirs").exception("failed")

    found = logged()
    assert {each for each in "".join(found) if not each.isprintable()} <= SEEN
    if form == "json":
        assert len(found) == 2
        assert all("ValueError" in json.loads(line)["exception"] for line in found)
    else:
        events = [line for line in found if BEGINS.match(line)]
        assert ["failed" in line for line in events] == [True, True]
        assert all(line.startswith("  | ") for line in found if line not in events)
