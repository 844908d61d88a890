"""The addresses of the receiver: which is looked at before which."""

import pytest
from starlette.routing import Match

from webhooks import routes


@pytest.mark.parametrize(
    "path",
    ["/beeminder/autofetch/secret", "/beeminder/deauthorized/secret", "/beeminder/reminder/hook"],
)
def test_a_callback_is_found_before_any_page_is_looked_at(path: str) -> None:
    """Thousands come in a second, and each pattern that is tried before costs all of them."""
    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    fitting = [
        number
        for number, route in enumerate(routes.ROUTES)
        if route.matches(scope)[0] == Match.FULL
    ]

    assert fitting[0] < len(routes.CALLBACKS)
