"""BM Parts, played by its simulator."""

from collections.abc import Mapping
from typing import Any

from simulators.bmparts import Bmparts
from simulators.bmparts_state import INVOICE, SHIPMENT
from tasks.trial import DAY, NOON, Feed, Limited, Trial

TURNOVER = "/reports/brands_turnover"
KEY = "kit-key-of-the-garage"


def _settings(url: str) -> Mapping[str, Any]:
    return {"url": url, "api_key": KEY}


def TRIAL() -> Trial:  # noqa: N802 -- the name that the kit looks for
    """A day without anything, one with two shipments, and today."""
    bmparts = Bmparts(clock=lambda: NOON)
    bmparts.limit(10**9)  # by a clock that stands still the window would never end
    state = bmparts.state
    state.add_key(KEY).debts["2026-11-30"] = 120.5
    state.add_documents(NOON - DAY, NOON - DAY + 60, NOON - 3600, kind=SHIPMENT)
    state.add_documents(NOON - 1800, kind=INVOICE)
    state.add_searches(NOON - 2 * DAY, NOON - DAY, NOON - 60, NOON - 30)
    state.add_sale(NOON - DAY, "Bosch", 80.25)
    state.open("reserves", 3)
    state.open("carts", 2)
    return Trial(
        settings=_settings,
        answers=bmparts.service,
        feeds=[
            _feed("documents", [0.0, 2.0, 2.0]),
            _feed("documents", [0.0, 2.0, 1.0], type=SHIPMENT),
            _feed("searches", [1.0, 1.0, 2.0]),
            Feed(metric="open_reserves", params={}, expected=3.0),
            Feed(metric="open_carts", params={}, expected=2.0),
            _now("/reports/terms", "/terms/0/debt", 120.5),
            _feed("json_total", [0.0, 80.25, 0.0], path=TURNOVER, pointer="/total"),
        ],
        absent=_now("/reports/terms", "/terms/7/debt", None),
        # Nobody says whether lists and counts come with a name or bare.
        honest={
            "/(documents/list|profile/history|shopping/reserves)": ["[]"],
            "/shopping/carts/count": ["17"],
        },
        # So BM Parts says it: no Retry-After, and the status of what may not be read.
        limited=Limited(
            status=403,
            headers={
                "X-RateLimit-Limit": "10000",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1800",
            },
            body={"message": "API rate limit exceeded."},
        ),
    )


def _now(path: str, pointer: str, value: float | None) -> Feed:
    return Feed(metric="json_value", params={"path": path, "pointer": pointer}, expected=value)


def _feed(metric: str, values: list[float | None], **params: object) -> Feed:
    days = ("20261118", "20261119", "20261120")
    return Feed(metric=metric, params=params, expected=dict(zip(days, values, strict=True)))
