"""Promises about secrets in text: gone wherever they stand, and the rest stays readable."""

import json
import time
import urllib.parse

import pytest

from worker import redaction


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch):
    """Each test starts with no text registered."""
    monkeypatch.setattr(redaction, "_hidden", ())


@pytest.mark.parametrize(
    "line",
    [
        "GET https://www.beeminder.com/api/v1/users/me.json?auth_token=CANARY&x=1",
        "access_token: CANARY",
        "{'password': 'CAN\"ARY CANARY'}",
        '{"refresh_token": "CANARY"}',
        "Authorization: Bearer CANARY",
        "{'Authorization': 'CANARY-key'}",
        "('authorization', 'Bearer CANARY')",
        "sent bearer CANARYCANARY",
        "x-api-key: CANARY",
        "api_key=CANARY, url=x",
        "postgresql://waggle:CANARY@db/x",
        "amqp://waggle:p@CANARY@mq/x",
        "wss://h/stream?token=CANARY",
        '{"type":"auth","token":"CANARY"}',
        "POST /beeminder/autofetch/CANARY HTTP/1.1",
        "/beeminder/reminder/CANARY?x=1",
        "/login/CANARY",
        "BEEMINDER_CLIENT_SECRET=CANARY",
        "Set-Cookie: waggle_session=CANARY",
    ],
)
def test_what_looks_like_a_secret_is_masked(line):
    """Names, headers, addresses and paths that carry secrets lose them."""
    assert "CANARY" not in redaction.text(line)
    assert redaction.MASK in redaction.text(line)


@pytest.mark.parametrize(
    "line",
    [
        "the token was refused",
        "token_version=4 tokens=3",
        "could not refresh the token: connection refused",
        "https://example.org:8000/a?x=1",
        "feed alice/energy landed 3 points",
        "password is wrong",
    ],
)
def test_ordinary_text_is_left_alone(line):
    """A log that is all stars helps nobody."""
    assert redaction.text(line) == line


@pytest.mark.parametrize("secret", ["pa ss/wörd&=", 'quo"te\\back', "plain-secret"])
def test_hidden_texts_are_found_in_every_spelling(secret):
    """A registered secret is masked plain, in URLs, in JSON and in reprs."""
    redaction.hide(secret)
    for spelling in (
        secret,
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        repr(secret),
    ):
        assert redaction.text(f"<{spelling}>").strip("<'\">") == redaction.MASK


def test_short_texts_are_not_hidden():
    """Hiding "a" would hide every line."""
    redaction.hide("a", "")
    assert redaction.text("a cat") == "a cat"


def test_values_are_cleaned_however_deep():
    """Secrets under their names, in lists, in objects and in keys are masked; figures stay."""

    class Odd:
        def __repr__(self):
            return "Odd(auth_token=CANARY)"

    cleaned = redaction.value(
        {
            "password": "CANARY",
            "deep": [{"api_key": "CANARY", "n": 3}, ("access_token=CANARY", Odd())],
            "auth_token=CANARY": None,
            "token_version": 4,
            "flag": True,
        }
    )
    assert "CANARY" not in repr(cleaned)
    assert cleaned["token_version"] == 4
    assert cleaned["flag"] is True
    assert cleaned["deep"][0]["n"] == 3


@pytest.mark.parametrize(
    "part", ["a-", "a_", "://a:", "x=", "token ", "authorization ", '\\"', "a:b@"]
)
def test_long_texts_are_cleaned_in_linear_time(part):
    """What a vendor sends may end in a log: no text makes the patterns go back and forth."""
    started = time.process_time()
    redaction.text(part * 50_000)
    assert time.process_time() - started < 2
