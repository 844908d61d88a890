"""A small believable Bime account for the demo: dashboards of the last days, and one viewer."""

from typing import Final

from simulators.bime import Bime

ACCOUNT: Final = "acme"
TOKEN: Final = "demo-bime-token-of-alice"  # noqa: S105 - made up, and public
CLIENT_ID: Final = "waggle"
CLIENT_SECRET: Final = "demo-bime-secret"  # noqa: S105 - made up, and public
_DAY = 86400.0
_DASHBOARDS = (  # days ago, name, is it published?
    (9.2, "Sales by region", True),
    (4.1, "Stock of the week", True),
    (2.3, "Churn", False),
    (1.2, "Deliveries", True),
    (0.1, "Deliveries by driver", False),
)


def fill(bime: Bime, *, redirect_uri: str | None = None) -> None:
    """Puts the account into an empty simulator, with an app that may be linked in the browser."""
    state = bime.state
    state.add_account(ACCOUNT, token=TOKEN)
    state.register_app(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uri=redirect_uri or "http://127.0.0.1:8000/bime/callback",
        account=ACCOUNT,
    )
    now = state.clock()
    state.add("connections", name="Warehouse", at=now - 30 * _DAY)
    state.add("named_user_groups", name="Board", at=now - 20 * _DAY)
    state.add("named_users", full_name="Bob", at=now - 3 * _DAY)
    for days, name, published in _DASHBOARDS:
        state.add("dashboards", name=name, is_published=published, at=now - days * _DAY)
