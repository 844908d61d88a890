"""What a proxy in front of Waggle must not do: turn away, collect, or tell."""

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.blackbox.callers import GOALS, Callers
from tests.blackbox.house import House
from tests.deploy import proxies
from tests.deploy.proxies import PROGRAMS, PROXY, Backend

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(120)]

SECRET = "canary-callback-secret"
CALLBACK = f"/beeminder/autofetch/{SECRET}?username=alice&slug=canary-slug"
HELD_SECONDS = 30  # as long as Beeminder waits


@pytest.fixture(params=PROGRAMS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each proxy that there is an example for."""
    if PROGRAMS[request.param]() is None:
        pytest.skip(f"{request.param} is not installed (Debian: {request.param})")
    return str(request.param)


@pytest.fixture
def backend() -> Iterator[Backend]:
    """What the proxy is in front of; it does not listen yet."""
    with contextlib.closing(Backend()) as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    """Waggle on the embedded default."""
    with House(tmp_path) as made:
        yield made


@pytest.fixture
def http(kind: str, backend: Backend, tmp_path: Path) -> Iterator[httpx.Client]:
    """Somebody outside."""
    program = PROGRAMS[kind]() or ""
    with (
        proxies.running(kind, program, tmp_path, backend) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield client


def test_a_callback_comes_through_a_restart(
    http: httpx.Client, kind: str, backend: Backend
) -> None:
    """One receiver does not listen: Caddy waits for it, nginx takes the other one. No 502."""
    if kind == "caddy":
        threading.Timer(1.0, backend.start).start()
    else:
        backend.start()

    answer = http.post(CALLBACK, headers={"X-Forwarded-For": "203.0.113.9"})

    assert (answer.status_code, answer.text) == (200, "fresh")
    (asked,) = backend.asked  # once, and not once for each try
    assert asked.path == CALLBACK
    # What somebody outside says about themselves is not handed on as our word.
    assert asked.headers["X-Forwarded-For"] == "127.0.0.1"
    assert asked.headers["X-Forwarded-Proto"] == "http"


def test_a_stream_is_not_collected(http: httpx.Client, backend: Backend) -> None:
    """A page that follows something sees it when it happens."""
    backend.start()
    with http.stream("GET", "/feeds/alice/energy/events") as answer:
        parts = answer.iter_text()
        assert next(parts) == "data: first\n\n"
        backend.go_on.set()
        assert "".join(parts) == "data: last\n\n"


def test_no_address_is_written_down(http: httpx.Client, backend: Backend, tmp_path: Path) -> None:
    """Neither a callback that is answered nor one that fails leaves its secret in any log."""
    backend.start()
    headers = {"Referer": f"https://waggle.example.org{CALLBACK}", "Cookie": f"session={SECRET}"}
    assert http.post(CALLBACK, headers=headers).status_code == 200
    assert http.post(f"/dead/{SECRET}", headers=headers).status_code == 502
    assert http.post(CALLBACK, content=b"x" * 70_000, headers=headers).status_code == 413
    backend.close()

    written = {
        path.name: path.read_text(errors="replace")
        for path in tmp_path.rglob("*")
        if path.is_file() and path.suffix == ".log"
    }
    assert any("POST" in text for text in written.values()), written
    for name, text in written.items():
        assert "canary" not in text, name
        assert "/beeminder" not in text, name


def test_one_machine_is_restarted_and_nobody_is_turned_away(
    home: House, backend: Backend, tmp_path: Path
) -> None:
    """`waggle up` behind Caddy: callers that are held are told 503, the others wait, none is lost.

    What was asked for in that moment is done by the next start.
    """
    program = PROGRAMS["caddy"]()
    if program is None:
        pytest.skip("caddy is not installed (Debian: caddy)")
    backend.port = home.port
    folder = tmp_path / "proxy"
    folder.mkdir()
    home.run("apply", str(home.declare(*GOALS)))
    home.up()
    with (
        proxies.running("caddy", program, folder, backend) as url,
        Callers(home, url) as callers,
    ):
        home.wait(lambda: callers.answered(url) > 2)
        home.grow(0.5)
        assert home.stop() == 0
        value = home.grow(0.25)
        home.up()
        before = callers.answered(url)
        home.wait(lambda: callers.answered(url) > before + 4)

    outcomes = {outcome for _, outcome in callers.answers}
    assert outcomes <= {"200 fresh", "503 late"}, callers.answers
    home.wait(lambda: list(home.ours("energy").values()) == [pytest.approx(value)])
    home.wait(lambda: {event["state"] for event in home.json("events")} == {"done"})


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("Caddyfile", r"response_header_timeout (\d+)s"),
        ("nginx.conf", r"proxy_read_timeout (\d+)s;"),
    ],
)
def test_an_answer_is_waited_for_as_long_as_beeminder_waits(name: str, waits: str) -> None:
    """No proxy gives up on a callback that is held."""
    (seconds,) = re.findall(waits, (PROXY / name).read_text())
    assert int(seconds) > HELD_SECONDS
