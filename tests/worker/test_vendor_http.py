"""What is told of each request: enough to talk to a vendor about it, and nothing that is secret."""

import httpx
import pytest
from structlog.testing import capture_logs

from tasks.tracing import NoTracer
from worker.vendor_http import VendorClient

SECRET = "canary-token"
URL = f"https://vendor.test/path/canary-path?auth_token={SECRET}"


def ask(answer, **options):
    """One request; the lines that were logged of it."""
    with (
        capture_logs() as lines,
        VendorClient(tracer=NoTracer(), transport=httpx.MockTransport(answer)) as client,
    ):
        try:
            client.get(URL, headers={"Authorization": f"Bearer {SECRET}"}, **options)
        except httpx.HTTPError:
            lines.append({"event": "raised"})
    return lines


def test_a_request_is_told_by_host_status_and_the_vendors_id():
    """The path and the query are not."""
    (line,) = ask(lambda _: httpx.Response(429, headers={"X-Request-Id": "req_1:a-b"}))
    assert (line["event"], line["log_level"]) == ("vendor.answered", "debug")
    assert (line["host"], line["status"]) == ("vendor.test", 429)
    assert line["vendor_request_id"] == "req_1:a-b"
    assert "canary" not in str(line)


def test_one_without_an_answer_is_told_by_its_kind():
    """What the error says may have the address in it. It goes on to whoever asked."""

    def fail(request):
        raise httpx.ConnectError(f"no route to {URL}", request=request)

    told, raised = ask(fail)
    assert (told["event"], told["error"]) == ("vendor.silent", "ConnectError")
    assert raised == {"event": "raised"}
    assert "canary" not in str(told)


@pytest.mark.parametrize(
    "given",
    [SECRET, f"x-{SECRET}-y", "canary", "canary-path", "two words", "\u0007", "x" * 101, ""],
)
def test_what_repeats_us_or_is_no_id_is_left_out(given):
    """A server that sends our own token back does not get it into a line."""
    headers = [(b"x-request-id", given.encode())]
    (line,) = ask(lambda _: httpx.Response(200, headers=headers))
    assert line["vendor_request_id"] is None


def test_no_cookie_is_kept():
    """What one person's answer sets stays in no client that asks for others."""
    headers = {"Set-Cookie": "session=alice; Path=/; Max-Age=3600"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers))
    with VendorClient(tracer=NoTracer(), transport=transport) as client:
        client.get("https://vendor.test/")
        assert not client.cookies
