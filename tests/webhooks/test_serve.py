"""The receiver as a process: it stops in time, holds thousands, and keeps its secrets."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from db.engine import Ledger
from db.models import LoginLink
from db.vault import Vault
from webhooks import serve
from worker import settings

pytestmark = pytest.mark.blackbox

START = """
import sys
from webhooks import serve
from worker import settings
loaded = settings.load(dotenv=None)
sys.exit(serve.run(loaded, loaded.host, loaded.port))
"""
ROOT = Path(__file__).parents[2]
SECRET = "canary-path-secret-of-the-tests"
KEY = Fernet.generate_key().decode()
BOUND_SECONDS = 30
TOKEN = "canary-token"


class Process:
    """A receiver process on a free port."""

    def __init__(self, home: Path, **env: str):
        self.home = home
        self.log = home.with_suffix(".log")
        given = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PORT": "0",
            "WAGGLE_HOME": str(home),
            "WAGGLE_CALLBACK_SECRETS": SECRET,
            "WAGGLE_SECRET_KEYS": KEY,
            "WAGGLE_LOG_FORMAT": "json",
            "WAGGLE_LOG_LEVEL": "debug",
        }
        with self.log.open("wb") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-c", START],
                env=given | env,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=home.parent,
            )
        try:
            self.port = self._port()
        except AssertionError:  # nobody else knows of it yet
            self.child.kill()
            self.child.wait()
            raise
        self.url = f"http://127.0.0.1:{self.port}"

    def _port(self) -> int:
        ends_at = time.monotonic() + BOUND_SECONDS
        while time.monotonic() < ends_at:
            for line in self.log.read_text().splitlines():
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    if event.get("event") == "receiver.serving":
                        return event["port"]
            assert self.child.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def memory(self) -> float:
        """Resident MB."""
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise AssertionError


@pytest.fixture
def start(tmp_path, _migrated):
    """Start a receiver process; keyword arguments are its environment.

    Its ledger is migrated, as `waggle up` and the release line of the Procfile do it before.
    """
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "waggle.db").write_bytes(_migrated)
    with contextlib.ExitStack() as stack:

        def start(**env: str) -> Process:
            process = Process(tmp_path / "home", **env)
            stack.callback(process.child.wait, BOUND_SECONDS)
            stack.callback(process.child.kill)
            return process

        yield start


async def _held(port: int, number: int) -> tuple[int, bytes]:
    """One raw callback, so that thousands cost this process little."""
    body = f"username=user{number}&slug=goal{number}".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /beeminder/autofetch/{SECRET} HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    answer = await reader.readexactly(length)
    writer.close()
    return int(head.split()[1]), answer


async def _gauge(client: httpx.AsyncClient, name: str) -> float:
    text = (await client.get("/metrics")).text
    return float(text.partition(f"\n{name} ")[2].splitlines()[0])


async def _all_held(client: httpx.AsyncClient, count: int) -> None:
    async with asyncio.timeout(BOUND_SECONDS):
        while await _gauge(client, "waggle_held") < count:  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_all_who_are_held_and_ends(start, sent):
    """100 held callbacks: each gets 503 late, and the process is gone within 8 s, with 0."""
    process = start(WAGGLE_HOLD_SECONDS="60", WAGGLE_FAILED_STATUS="500")

    async def stop():
        async with httpx.AsyncClient(base_url=process.url) as client:
            held = [asyncio.create_task(_held(process.port, number)) for number in range(100)]
            await _all_held(client, 100)
        began = time.monotonic()
        process.child.send_signal(sent)
        async with asyncio.timeout(BOUND_SECONDS):
            answers = await asyncio.gather(*held)
        return answers, began

    answers, began = asyncio.run(stop())
    status = process.child.wait(BOUND_SECONDS)
    took = time.monotonic() - began

    assert {code for code, _ in answers} == {503}
    assert {body for _, body in answers} == {b'{"status":"late"}'}
    assert status == 0
    assert took < 8
    ledger = Ledger(f"sqlite:///{process.home / 'waggle.db'}")
    with ledger.read() as session:
        count = session.connection().exec_driver_sql("SELECT count(*) FROM event").scalar_one()
    ledger.close()
    assert count == 100


def test_an_answer_says_when_it_was_made(start):
    """However long nobody came: a receiver that stood still would date all answers alike."""
    process = start()
    with httpx.Client(base_url=process.url) as client:
        first = client.get("/healthz").headers["Date"]
        ends_at = time.monotonic() + BOUND_SECONDS
        while client.get("/healthz").headers["Date"] == first:
            assert time.monotonic() < ends_at
            time.sleep(0.2)


def test_a_stop_ends_streams_at_once(start):
    """Fifty who watch runs: all are let go with a proper end, and the process is gone soon."""
    process = start()
    ledger = Ledger(f"sqlite:///{process.home / 'waggle.db'}")
    secret = Vault([KEY]).fingerprint("once")
    with ledger.write() as session:
        session.add(LoginLink(secret_hash=secret, username="", expires_at=9e12))
    ledger.close()

    async def watch(client, begun):
        async with client.stream("GET", "/runs/stream") as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    begun.release()
            return response.status_code

    async def stop():
        begun = asyncio.Semaphore(0)
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=process.url, timeout=BOUND_SECONDS, limits=limits
        ) as client:
            await client.get("/login/once")
            watching = [asyncio.create_task(watch(client, begun)) for _ in range(50)]
            async with asyncio.timeout(BOUND_SECONDS):
                for _ in watching:
                    await begun.acquire()
                began = time.monotonic()
                process.child.send_signal(signal.SIGTERM)
                return await asyncio.gather(*watching), began

    codes, began = asyncio.run(stop())
    status = process.child.wait(BOUND_SECONDS)

    assert set(codes) == {200}
    assert status == 0
    assert time.monotonic() - began < 6.5


def test_two_thousand_held_callbacks_are_cheap(start):
    """2,000 at once stay under 150 MB, and the receiver answers others in under 50 ms."""
    # A receiver that was started with few open files has to allow itself more.
    process = start(WAGGLE_HOLD_SECONDS="120", WAGGLE_LOG_LEVEL="info")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))

    async def hold():
        async with httpx.AsyncClient(base_url=process.url, timeout=BOUND_SECONDS) as client:
            held = [asyncio.create_task(_held(process.port, number)) for number in range(2000)]
            await _all_held(client, 2000)
            took = []
            for _ in range(40):
                began = time.perf_counter()
                await client.get("/healthz")
                took.append(time.perf_counter() - began)
            memory = process.memory()
            process.child.terminate()
            async with asyncio.timeout(BOUND_SECONDS):
                return memory, sorted(took), await asyncio.gather(*held)

    try:
        memory, took, answers = asyncio.run(hold())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert {code for code, _ in answers} == {503}
    assert memory < 165  # with all pages; each held callback is some 20 KB of it
    assert took[len(took) // 2] < 0.05


def test_no_secret_in_logs_pages_headers_metrics_or_the_ledger(start):
    """Tokens and path secrets go in by every door and are found nowhere."""
    process = start(WAGGLE_HOLD_SECONDS="0", WAGGLE_BEEMINDER_CLIENT_ID="app",
                    WAGGLE_BEEMINDER_URL="http://127.0.0.1:9")  # fmt: skip
    seen = []
    with httpx.Client(base_url=process.url, timeout=BOUND_SECONDS) as client:

        def send(method, path, **options):
            response = client.request(method, path, **options)
            seen.append(f"{response.headers} {response.text}")
            return response

        send("POST", f"/beeminder/autofetch/{SECRET}", data={"username": "a", "slug": "b"})
        send("POST", f"/beeminder/autofetch/{SECRET}", content=b"\xff")
        send("GET", f"/beeminder/autofetch/{SECRET}")
        send("POST", f"/beeminder/autofetch/{TOKEN}")
        send("POST", f"/beeminder/deauthorized/{SECRET}", json={"access_token": TOKEN})
        send("POST", f"/beeminder/deauthorized/{SECRET}", params={"access_token": TOKEN})
        send("POST", f"/beeminder/deauthorized/{SECRET}", json={"access_token": [TOKEN]})
        send("POST", f"/beeminder/reminder/{TOKEN}", json={"goal": {"slug": "x"}})
        send("GET", f"/login/{TOKEN}")
        state = send("GET", "/beeminder/connect").headers["Location"].partition("state=")[2]
        send("GET", "/beeminder/callback", params={"access_token": TOKEN})
        down = send("GET", "/beeminder/callback", params={"state": state, "access_token": TOKEN})
        send("GET", f"/nothing/{TOKEN}", headers={"Accept": "text/html"})
        send("GET", "/metrics")
    process.child.terminate()
    process.child.wait(BOUND_SECONDS)

    assert down.status_code == 503
    assert "canary-" not in "".join(seen)
    assert "canary-" not in process.log.read_text()
    for path in process.home.rglob("*"):
        if path.is_file():
            assert b"canary-" not in path.read_bytes(), path
    assert Vault([KEY]).fingerprint(TOKEN) in (process.home / "waggle.db").read_bytes().decode(
        "utf-8", "replace"
    )


def test_a_taken_port_is_a_failed_start(tmp_path):
    """Somebody else listens there: exit status 1, not a receiver that serves nobody."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        loaded = settings.load(
            {"WAGGLE_HOME": str(tmp_path / "home"), "PORT": str(port)}, dotenv=None
        )
        code = f"""
import sys
from webhooks import serve
from worker import settings
loaded = settings.load({{"WAGGLE_HOME": {str(loaded.home)!r}}}, dotenv=None)
sys.exit(serve.run(loaded, "127.0.0.1", {port}))
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=BOUND_SECONDS,
            check=False,
            text=True,
        )

    assert done.returncode == 1
    assert "address already in use" in done.stderr


def test_cookies_are_signed_with_a_key_of_their_own(tmp_path):
    """What signs cookies is made from the first secret key, and is not that key."""
    env = {"WAGGLE_HOME": str(tmp_path / "home"), "WAGGLE_SECRET_KEYS": KEY}
    config = serve.configuration(settings.load(env, dotenv=None))

    assert KEY not in config.session_key
    assert len(config.session_key) == 64
    assert KEY not in repr(config)
