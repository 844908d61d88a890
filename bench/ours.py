"""Waggle as its users run it: `waggle worker` processes and one `waggle beat`."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from sqlalchemy import delete, func, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from bench import processes
from bench.house import ROOT, BenchFailed
from bench.places import Place
from bench.plan import Plan
from bench.provider import NAME, install
from bench.scenarios import Tenants
from bench.world import TOKEN, USER, World
from db.engine import Ledger
from db.models import Feed, Source, Worker
from db.models_limits import Quota
from simulators.windows import Kind
from tasks.limits import Quota as Counted

SPREAD = 1.0  # seconds over which feeds have become due
STEP = 61  # coprime to any number of feeds that is measured
PATIENCE = 180.0


class Waggle:
    """One installation, made for the bench; a side (`bench.scenarios`) while it is `working`."""

    name = "waggle"

    def __init__(self, folder: Path, plan: Plan, world: World, place: Place) -> None:
        self._folder, self._plan, self._world = folder, plan, world
        package = install(folder / "package")
        self._environment = processes.environment(
            **{
                "PYTHONPATH": f"{package}:{ROOT}",
                "WAGGLE_HOME": str(folder / "home"),
                "WAGGLE_BEEMINDER_URL": world.beeminder_url,
                "WAGGLE_BEEMINDER_RATE": "0",  # Beeminder's is not the limit that is measured
                "WAGGLE_LOOKBACK_DAYS": "0",
                "WAGGLE_LOG_LEVEL": "warning",
                "WAGGLE_CALLBACK_SECRETS": "a-callback-secret-of-the-bench-0123456789",
                "BENCH_TOKEN": TOKEN,
                **place.waggle,
            }
        )
        self._url = place.waggle.get("DATABASE_URL", f"sqlite:///{folder / 'home' / 'waggle.db'}")
        self._ledger: Ledger | None = None

    @contextlib.contextmanager
    def working(self, workers: int) -> Iterator[Self]:
        """Run so many worker processes, and beat, for the block; they are ready when it begins.

        Raises `BenchFailed`.
        """
        self._apply()
        waggle = [sys.executable, "-m", "worker.cli.main"]
        commands = [*([*waggle, "worker"] for _ in range(workers)), [*waggle, "beat"]]
        with (
            contextlib.closing(Ledger(self._url)) as self._ledger,
            processes.running(commands, folder=self._folder, environment=self._environment),
        ):
            self._wait(lambda session: _count(session, select(Worker)) >= workers)
            # Each feed is looked at for the first time once; that is not what is measured.
            self._wait(_all_synced)
            yield self

    def prepare(self, tenants: Tenants, *, scenario: str, kind: Kind | None) -> None:
        """Say whose the accounts are and what is known of the limit; no gate has a past."""
        settings: dict[str, object] = {"unknown": scenario == "unknown"}
        if scenario == "known" and kind is not None:
            # Of a bucket the vendor says that it is one. Of the others only the size is known.
            bucket = self._plan.window(kind).at_once if kind == "gcra" else 0
            named = {"requests": self._plan.requests, "seconds": self._plan.seconds}
            settings |= {**named, "bucket": bucket}
        with self.ledger.write() as session:
            session.connection().execute(delete(Quota))
            names = {f"account{account}": of for account, of in tenants.items()}
            for source in session.exec(select(Source).where(col(Source.name).in_(names))):
                # `waggle apply` would have all feeds of the account looked at anew.
                tenant = names[source.name]
                plain = {name: source.settings[name] for name in ("url", "login")}
                source.settings = {**plain, "tenant": tenant, **settings}
                source.quota_key = Counted(account=tenant).key(NAME)  # as after one sync
                session.add(source)

    def start(self, tenants: Tenants) -> None:
        """The schedule of all feeds of these accounts has come."""
        now = time.time()
        names = [f"account{account}" for account in tenants]
        with self.ledger.write() as session:
            chosen = (
                select(col(Feed.id))
                .join(Source, col(Source.id) == col(Feed.source_id))
                .where(col(Source.name).in_(names))
                .order_by(col(Feed.id))
            )
            feeds = list(session.exec(chosen))
            for number, feed_id in enumerate(feeds):
                # Neighbours in the file are not neighbours in time.
                late = SPREAD * (number * STEP % len(feeds)) / len(feeds)
                session.connection().execute(
                    update(Feed).where(col(Feed.id) == feed_id).values(due_at=now - late)
                )

    def settle(self) -> None:
        """Wait until no feed is due or leased."""
        now = time.time()
        busy = select(Feed).where((col(Feed.lease_until) > 0.0) | (col(Feed.due_at) <= now))
        self._wait(lambda session: _count(session, busy) == 0)

    @property
    def ledger(self) -> Ledger:
        """The database of this installation, while it works."""
        if self._ledger is None:
            raise BenchFailed("it is not working")
        return self._ledger

    def _wait(self, until: Callable[[Session], bool]) -> None:
        ends_at = time.monotonic() + PATIENCE
        while time.monotonic() < ends_at:
            with self.ledger.read() as session:
                if until(session):
                    return
            time.sleep(0.2)
        raise BenchFailed(f"Waggle is not ready:\n{processes.tail(self._folder)}")

    def _apply(self) -> None:
        """Declare a source for each account, and all feeds."""
        lines = [f'[users.{USER}]\ntoken = {{ env = "BENCH_TOKEN" }}\n']
        for account in range(self._plan.accounts):
            lines.append(
                f'[sources.account{account}]\nprovider = "{NAME}"\nuser = "{USER}"\n'
                f'url = "{self._world.vendor_url}"\nlogin = "account{account}"\n'
                'tenant = "nobody"\n'
            )
            lines.extend(
                f'[feeds."{USER}/{self._world.goal(account)}:job{job}"]\n'
                f'source = "account{account}"\nmetric = "job"\nparams = {{ job = {job} }}\n'
                for job in self._plan.jobs(account, account + 1)
            )
        file = self._folder / "waggle.toml"
        file.write_text("\n".join(lines))
        done = subprocess.run(
            [sys.executable, "-m", "worker.cli.main", "apply", str(file)],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchFailed(f"waggle apply: {done.stderr.strip()}")


def _all_synced(session: Session) -> bool:
    return _count(session, select(Feed).where(col(Feed.last_synced_at).is_(None))) == 0


def _count(session: Session, rows: SelectOfScalar[Any]) -> int:
    return session.exec(select(func.count()).select_from(rows.subquery())).one()
