"""A call becomes a request: credentials go on the wire, and nowhere else."""

import httpx
import pytest

from clients import errors, redaction
from clients.call import USER_AGENT, Call
from clients.deadline import Deadline

CANARY = "canary-of-a-call"
URL = httpx.URL("http://vendor.test/things/")


def call(**more) -> Call:
    """A call with nothing in it but what is said."""
    nothing = {
        "method": "POST",
        "path": "things/",
        "params": {},
        "form": None,
        "json": None,
        "headers": {},
        "credentials": redaction.Credentials(),
    }
    return Call(**(nothing | more))


def test_credentials_join_what_is_sent():
    """In a body and in headers they stand beside what was asked; an own header is replaced."""
    secret = redaction.Credentials(json={"key": CANARY}, headers={"Authorization": CANARY})
    made = call(json={"a": 1}, headers={"X-Own": "1"}, credentials=secret).request(
        URL, Deadline(5.0, monotonic=float)
    )
    assert made.read() == b'{"a": 1, "key": "canary-of-a-call"}'
    assert made.headers["Authorization"] == CANARY
    assert (made.headers["User-Agent"], made.headers["X-Own"]) == (USER_AGENT, "1")


@pytest.mark.parametrize(("query", "mark"), [("", "?"), ("?a=1", "&")])
def test_a_secret_in_a_query_is_not_in_the_url(query, mark):
    """It stands on the request line only: what is logged is clean."""
    secret = redaction.Credentials(query={"token": CANARY})
    made = call(method="GET", credentials=secret).request(
        URL.join(query), Deadline(5.0, monotonic=float)
    )
    assert CANARY not in str(made.url)
    assert made.extensions["target"].decode() == f"/things/{query}{mark}token={CANARY}"


def test_an_error_is_scrubbed_in_all_its_parts():
    """Message, arguments, details and the name of the exchange: the secret is in none of them."""
    secret = redaction.Credentials(form={"password": CANARY})
    error = errors.Rejected(f"no {CANARY}", details={"said": CANARY}, request_id=CANARY)
    told = call(credentials=secret).scrubbed(error)
    assert CANARY not in repr((str(told), told.message, told.args, told.details, told.request_id))
    assert CANARY not in repr(call(credentials=secret))
