"""The real BEMServer on this machine, for the conformance tests and the demo.

    with RealBemserver(Path("var/bemserver")) as bem:
        httpx.get(bem.url + "/about/")

It installs itself under a folder of its own and uses a PostgreSQL found by `simulators.postgres`.
It leaves no database and no process behind, not even when its parent is killed. It needs no Redis
and no TimescaleDB.
"""

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import secrets
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

import httpx
import psycopg
from sqlalchemy import URL

from simulators import bemserver_seed, postgres, real_bemserver_install

INSIDE = Path(__file__).with_name("real_bemserver_inside.py")
START_SECONDS = 120.0
STOP_SECONDS = 15.0


class StartFailed(RuntimeError):  # noqa: N818 - says what happened
    """The server did not come up; the message ends with the last lines of its log."""


class RealBemserver:
    """One real server with a database of its own, for the length of a `with` block.

    `home` keeps the installation. Lifetimes of tokens are in whole seconds (upstream: 900 and
    60 days). `prefix` is a path such as `/api/v0` to serve under; `postgres_port` is where a
    running PostgreSQL is looked for. `say` gets progress lines, by default standard error.
    `url`, `secret` (the key of the tokens), `seed` and `database` tell what runs.
    Raises `postgres.NoPostgres`, `real_bemserver_install.InstallFailed` or `StartFailed`.
    """

    def __init__(
        self,
        home: Path,
        *,
        access_lifetime: int | None = None,
        refresh_lifetime: int | None = None,
        seed: bemserver_seed.Seed | None = None,
        prefix: str = "",
        postgres_port: int = postgres.PORT,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.home = home.absolute()
        self.seed = seed or bemserver_seed.default_seed()
        self.prefix = prefix
        self.secret = secrets.token_hex(32)
        self.url = ""
        self.database = ""
        self._lifetimes = {"access_lifetime": access_lifetime, "refresh_lifetime": refresh_lifetime}
        self._postgres_port = postgres_port
        self._say = say or _say
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            # Asked first: it is quick, and the likeliest thing to be missing.
            connection = stack.enter_context(postgres.server(self.home, port=self._postgres_port))
            python = real_bemserver_install.ensure(self.home, say=self._say)
            self.database = stack.enter_context(postgres.database(connection, prefix="waggle_bem"))
            url = _database_url(connection, self.database)
            self.url = stack.enter_context(self._serving(python, url))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def token(
        self, email: str, *, kind: Literal["access", "refresh"] = "access", expires_in: float = 900
    ) -> str:
        """Return a token signed with the server's key; `expires_in` seconds may be negative."""
        claims = {"email": email, "exp": int(time.time() + expires_in), "type": kind}
        signed = f"{_segment({'alg': 'HS256', 'typ': 'JWT'})}.{_segment(claims)}"
        digest = hmac.new(self.secret.encode(), signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{_base64(digest)}"

    def add_samples(
        self,
        series: int,
        samples: Iterable[tuple[float, float]],
        *,
        data_state: str = "Raw",
        replace: bool = False,
    ) -> None:
        """Post (epoch seconds, value) pairs as the admin, over the server's own HTTP API.

        BEMServer keeps the first value of an instant; `replace` deletes the span of the new samples
        first, as its users have to. Raises httpx.HTTPStatusError when the server refuses.
        """
        points = sorted(samples)
        if not points:
            return
        if replace:
            # One microsecond, the server's finest step: the end of a range is left out.
            self.delete_samples(
                series, start=points[0][0], end=points[-1][0] + 1e-6, data_state=data_state
            )
        query = {"data_state": str(bemserver_seed.DATA_STATES[data_state])}
        body = json.dumps({str(series): {_iso(at): value for at, value in points}})
        headers = {"Content-Type": "application/json"}
        self._as_admin("POST", params=query, content=body, headers=headers)

    def delete_samples(
        self, series: int, *, start: float, end: float, data_state: str = "Raw"
    ) -> None:
        """Delete what lies in [start, end), in epoch seconds, as the admin."""
        query = {
            "timeseries": str(series),
            "start_time": _iso(start),
            "end_time": _iso(end),
            "data_state": str(bemserver_seed.DATA_STATES[data_state]),
        }
        self._as_admin("DELETE", params=query)

    def _as_admin(
        self,
        method: str,
        *,
        params: dict[str, str],
        content: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        signed = {"Authorization": f"Bearer {self.token(self.seed.admin().email)}"}
        httpx.request(
            method,
            f"{self.url}/timeseries_data/",
            params=params,
            content=content,
            headers={**signed, **(headers or {})},
            timeout=60,
            trust_env=False,
        ).raise_for_status()

    @contextlib.contextmanager
    def _serving(self, python: Path, database_url: str) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.home) as text:
            folder = Path(text)
            plan, log = self._plan(folder, database_url), folder / "log"
            with log.open("wb") as sink:
                process = subprocess.Popen(  # noqa: S603 - our own script
                    [python, INSIDE, plan],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=sink,
                    start_new_session=True,
                )
            try:
                yield f"http://127.0.0.1:{_ready_port(process, log)}{self.prefix}"
            finally:
                _stop(process)

    def _plan(self, folder: Path, database_url: str) -> Path:
        core, api, plan = (folder / name for name in ("core.cfg", "api.cfg", "plan.json"))
        core.write_text(f"SQLALCHEMY_DATABASE_URI = {database_url!r}\n")
        api.write_text(f"SECRET_KEY = {self.secret!r}\n")
        content = {
            "core_settings": str(core),
            "api_settings": str(api),
            "prefix": self.prefix,
            "seed": dataclasses.asdict(self.seed),
            **self._lifetimes,
        }
        plan.write_text(json.dumps(content))
        return plan


def _ready_port(process: subprocess.Popen[bytes], log: Path) -> int:
    if process.stdout is None:
        raise StartFailed("the real BEMServer was started without a pipe")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(START_SECONDS) else b""
    word, _, port = line.decode(errors="replace").partition(" ")
    if word != "ready":
        _stop(process)
        tail = " | ".join(log.read_text(errors="replace").strip().splitlines()[-4:])
        raise StartFailed(f"the real BEMServer did not start: {tail[-600:]}")
    return int(port)


def _stop(process: subprocess.Popen[bytes]) -> None:
    # The end of its standard input tells it to go.
    try:
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _database_url(connection: str, name: str) -> str:
    with psycopg.connect(connection) as session:
        info = session.info
        url = URL.create(
            "postgresql+psycopg",
            username=info.user,
            password=info.password or None,
            host="127.0.0.1",
            port=info.port,
            database=name,
        )
    return url.render_as_string(hide_password=False)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).isoformat()


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _segment(value: dict[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())
