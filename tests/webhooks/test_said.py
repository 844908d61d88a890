"""What a form came to is said once, on the next page, and only what we said ourselves."""

import pytest
from starlette.requests import Request
from starlette.responses import Response

from webhooks import said


@pytest.fixture
def receiver(serving):
    """A receiver with a clock that a test moves."""
    return serving.receiver


def carried(response):
    """A request of the browser that got this answer."""
    cookie = response.headers["set-cookie"].partition(";")[0]
    return Request({"type": "http", "headers": [(b"cookie", cookie.encode())]})


def test_it_is_said_on_the_next_page(receiver):
    """As it was written, with its kind."""
    response = Response()
    said.later(receiver, response, "Saved; ünïcode, too", kind="warn")

    assert said.take(receiver, carried(response)) == said.Said("Saved; ünïcode, too", "warn")
    assert "httponly" in response.headers["set-cookie"].lower()


def test_it_is_forgotten_after_a_minute(serving, receiver):
    """A page that is opened much later says nothing of it."""
    response = Response()
    said.later(receiver, response, "Saved")
    serving.clock.sleep(said.SECONDS + 1)

    assert said.take(receiver, carried(response)) is None


def test_nobody_else_can_say_something(receiver):
    """A cookie that we did not sign is no word of ours."""
    forged = Request({"type": "http", "headers": [(b"cookie", b"waggle_said=eyJ0IjoxfQ.x")]})

    assert said.take(receiver, forged) is None
    assert said.take(receiver, Request({"type": "http", "headers": []})) is None
