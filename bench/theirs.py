"""The peer: worker processes of `bench.peer`, and whoever sends the tasks."""

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from celery import Celery

from bench import processes
from bench.house import ROOT, BenchFailed
from bench.ours import PATIENCE
from bench.places import Place
from bench.plan import Plan
from bench.scenarios import Tenants
from bench.world import TOKEN, World
from simulators.windows import Kind

SLOTS = 4  # children of a worker (`prefork`, Celery's default)


class Peer:
    """The usual way; a side (`bench.scenarios`) while it is `working`."""

    name = "celery"

    def __init__(self, folder: Path, plan: Plan, world: World, place: Place) -> None:
        self._folder, self._plan, self._world, self._place = folder, plan, world, place
        self._workers = 0
        self._stack = contextlib.ExitStack()
        self._app = Celery("peer")
        self._app.conf.update(**place.celery)

    @contextlib.contextmanager
    def working(self, workers: int) -> Iterator[Self]:
        """So many worker processes, for the block."""
        self._workers = workers
        with contextlib.closing(self._stack):
            yield self

    def prepare(self, tenants: Tenants, *, scenario: str, kind: Kind | None) -> None:  # noqa: ARG002
        """Start the processes anew, with the limit if it is known. Raises `BenchFailed`."""
        self._stack.close()
        ready = self._folder / "ready"
        shutil.rmtree(ready, ignore_errors=True)
        ready.mkdir(parents=True)
        rate = self._plan.rate / self._workers if scenario == "known" else None
        settings = {
            "celery": self._place.celery,
            "ready": str(ready),
            "vendor": self._world.vendor_url,
            "beeminder": self._world.beeminder_url,
            "tokens": [TOKEN],
            "rate_limit": None if rate is None else f"{rate}/s",
        }
        celery = [sys.executable, "-m", "celery", "-A", "bench.peer", "worker"]
        commands = [
            [*celery, *f"--loglevel warning -c {SLOTS} -n peer{number}@%h".split()]
            for number in range(self._workers)
        ]
        self._stack.enter_context(
            processes.running(
                commands,
                folder=self._folder,
                environment=processes.environment(
                    PYTHONPATH=str(ROOT), PEER_SETTINGS=json.dumps(settings)
                ),
            )
        )
        ends_at = time.monotonic() + PATIENCE
        while len(list(ready.iterdir())) < self._workers:
            if time.monotonic() > ends_at:
                raise BenchFailed(f"the peer did not start:\n{processes.tail(self._folder)}")
            time.sleep(0.1)

    def start(self, tenants: Tenants) -> None:
        """Send the tasks of all jobs of these accounts."""
        with self._app.connection_for_write() as connection:
            producer = self._app.amqp.Producer(connection)
            for account, tenant in tenants.items():
                for number in self._plan.jobs(account, account + 1):
                    words = (number, tenant, self._world.goal(account))
                    self._app.send_task("peer.job", words, producer=producer)

    def settle(self) -> None:
        """Nothing is left when each job has written."""
