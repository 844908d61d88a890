"""Celery applications on real brokers, each with a corner of its own; skips where there is none."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from celery import Celery

from tests.blackbox.services import Services
from worker import app as celery_app
from worker import settings


@contextlib.contextmanager
def applications(home: Path, kind: str) -> Iterator[Callable[[], Celery]]:
    """What makes an application, as each process makes one."""
    services = Services(home)
    with contextlib.closing(services):
        url = services.broker(kind)

        def make() -> Celery:
            return celery_app.make(
                settings.load({"WAGGLE_HOME": str(home / "home"), "BROKER_URL": url}, None)
            )

        yield make
