"""BEMServer, played by its simulator."""

from collections.abc import Mapping
from typing import Any

from simulators.bemserver import Bemserver
from tasks.trial import DAY, NOON, Feed, Trial

EMAIL = "alice@bem.test"
PASSWORD = "kit-password-of-alice"  # noqa: S105 -- of a simulator
METRIC = "timeseries_aggregate"


def _settings(url: str) -> Mapping[str, Any]:
    return {"url": url, "email": EMAIL, "password": PASSWORD}


def TRIAL() -> Trial:  # noqa: N802 -- the name that the kit looks for
    """Two days of samples and one without: read as hours, as samples, and by name."""
    bemserver = Bemserver(clock=lambda: NOON)
    state = bemserver.state
    state.add_user(EMAIL, PASSWORD)
    samples = [(NOON - DAY, 7.0), (NOON - 7200, 0.5), (NOON - 3600, 2.0), (NOON - 60, 0.25)]
    meter = state.add_series("Main meter", campaign="Home", values=samples, data_state="Clean")
    state.add_series("Roof", campaign="Home", values=samples[:2], data_state="Clean")
    return Trial(
        settings=_settings,
        answers=bemserver.limiter,
        feeds=[
            _feed([None, 7.0, 2.75 / 3], timeseries=meter.id, aggregation="avg"),
            _feed([None, 7.0, 0.25], timeseries=meter.id, aggregation="last", counter=True),
            _feed([None, 7.0, 0.5], timeseries="Roof", campaign="Home"),
        ],
        absent=_feed([None, None, None], timeseries=987),
        logins=["/auth/token", "/auth/token/refresh"],
        # The data of a series are an object by time, and a series without any may be left out.
        rows=[r"/[0-9]+", r"/[0-9]+/[0-9T:+.-]+"],
    )


def _feed(values: list[float | None], **params: object) -> Feed:
    days = ("20261118", "20261119", "20261120")
    return Feed(metric=METRIC, params=params, expected=dict(zip(days, values, strict=True)))
