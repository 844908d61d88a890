"""Bime, played by its simulator: with an access token, and linked in the browser."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette

from simulators.bime import Bime
from tasks.providers import Grant
from tasks.trial import DAY, NOON, Feed, Trial

ACCOUNT = "acme"
TOKEN = "kit-token-of-acme"  # noqa: S105 -- of a simulator
CLIENT_ID = "kit"
CLIENT_SECRET = "kit-secret-of-the-app"  # noqa: S105 -- as above
ENDED = "kit-ended-token-of-acme"
REFRESH = "kit-refresh-token-of-acme"
DASHBOARDS = (  # created, changed (seconds before now), is it published?
    (1.5 * DAY, 3600, True),
    (1.2 * DAY, 1.1 * DAY, True),
    (7200, 60, False),
)


def TRIAL() -> Trial:  # noqa: N802 -- the name that the kit looks for
    """With an access token: a day without anything, one with two dashboards, and today."""
    bime = _bime()
    bime.state.add_account(ACCOUNT, token=TOKEN)
    return _trial(bime, lambda url: {"url": f"{url}/v2", "access_token": TOKEN})


def LINKED() -> Trial:  # noqa: N802 -- like the other one
    """Linked in the browser by a token that has ended, and read in the other version's envelope."""
    bime = _bime()
    # Each question of the kit begins with the same tokens.
    bime.state.switch(expires_in=3600, refresh=True, refresh_once=False)
    bime.state.register_app(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uri="http://127.0.0.1/callback",
        account=ACCOUNT,
    )
    bime.oauth.give(REFRESH, CLIENT_ID)

    def settings(url: str) -> Mapping[str, Any]:
        app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "oauth_url": url}
        return {"url": f"{url}/v3", **app}

    return dataclasses.replace(
        _trial(bime, settings),
        linked=Grant(ENDED, REFRESH, NOON),
        logins=["/oauth/token"],
        # The page shows bare bodies, the samples an envelope: both are read in both versions.
        honest={"/v3/.*": ["[]"]},
    )


def _bime() -> Bime:
    bime = Bime(clock=lambda: NOON)
    state = bime.state
    state.add_account(ACCOUNT)
    for created, changed, published in DASHBOARDS:
        number = state.add("dashboards", is_published=published, at=NOON - created)
        state.change("dashboards", number, at=NOON - changed)
    state.add("named_users", full_name="Bob", at=NOON - DAY)
    state.add("named_users", full_name="Carol", at=NOON - 1800)
    return bime


def _trial(bime: Bime, settings: Callable[[str], Mapping[str, Any]]) -> Trial:
    return Trial(
        settings=settings,
        # Bime has every list that can be named, so none is `absent`.
        # Without the limit: by a clock that stands still its window would never end.
        answers=Starlette(routes=bime.routes()),
        feeds=[
            _feed("dashboards_created", [0.0, 2.0, 1.0]),
            # Bime shows the latest change only: of days before the first look a zero is a guess.
            _feed("dashboards_updated", [None, 1.0, 2.0]),
            Feed(metric="dashboards_published", params={}, expected=2.0),
            _feed("records_created", [0.0, 1.0, 1.0], resource="named_users"),
            _feed("records_created", [0.0, 0.0, 0.0], resource="connections"),
        ],
    )


def _feed(metric: str, values: list[float | None], **params: object) -> Feed:
    days = ("20261118", "20261119", "20261120")
    return Feed(metric=metric, params=params, expected=dict(zip(days, values, strict=True)))
