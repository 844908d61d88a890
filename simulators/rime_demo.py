"""The demo world's RIME: a shop whose orders are loaded every hour, and a pipeline after midnight.

Every number follows from its hour, so two starts tell the same story, and the runs go on.
"""

import hashlib
from typing import Final

from simulators.rime import Rime

API_KEY: Final = "demo-rime-key"
PROJECT: Final = "shop"
CONNECTOR: Final = "orders"
PIPELINE: Final = "nightly"
_HOUR = 3600
_DAYS = 30
_LASTS = 240


def fill(rime: Rime, *, email: str, password: str) -> None:
    """Puts the world into an empty tenant; the login is that of the other simulators."""
    state = rime.state
    state.add_key(API_KEY)
    state.add_person(email, password)
    state.add_project(PROJECT, "Shop")
    state.add_connector(PROJECT, CONNECTOR, "Orders database")
    state.add_pipeline(PROJECT, PIPELINE, "Nightly model")
    next_hour = int(state.clock()) // _HOUR * _HOUR - _DAYS * 24 * _HOUR

    def grow(now: float) -> None:
        nonlocal next_hour
        while next_hour + 2 * _LASTS <= now:
            _run(rime, next_hour)
            next_hour += _HOUR

    grow(state.clock())
    state.growers.append(grow)


def _run(rime: Rime, hour: int) -> None:
    chance = _chance(hour)
    status = "Failed" if chance > 0.97 else "Partially failed" if chance > 0.94 else "Completed"  # noqa: PLR2004 - some
    rime.state.add_run(
        CONNECTOR,
        id=f"run_{hour // _HOUR}",
        status=status,
        rows=0 if status == "Failed" else int(200 + 400 * chance),
        started_at=float(hour),
        finished_at=float(hour + _LASTS),
    )
    if hour // _HOUR % 24 == 0:
        rime.state.add_run(
            PIPELINE,
            id=f"nightly_{hour // _HOUR // 24}",
            status="Succeeded",
            rows=None,
            started_at=float(hour),
            finished_at=float(hour + 2 * _LASTS),
        )


def _chance(hour: int) -> float:
    """A number from 0 to 1 that is always the same for the same hour."""
    digest = hashlib.blake2b(f"orders {hour}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) / 0xFFFFFFFF
