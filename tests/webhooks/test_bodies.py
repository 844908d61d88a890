"""Bodies: bounded in bytes and time, whatever the caller does."""

import json
import socket
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks import bodies

PATH = "/beeminder/autofetch/path-secret-1"


def _send(url: str, head: str, *parts: bytes) -> socket.socket:
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port), timeout=10)
    connection.sendall(head.replace("\n", "\r\n").encode())
    for part in parts:
        connection.sendall(part)
    return connection


def _answer(connection: socket.socket) -> tuple[int, dict]:
    with connection, connection.makefile("rb") as lines:
        status = int(lines.readline().split()[1])
        length = 0
        while line := lines.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, json.loads(lines.read(length))


@given(st.text("ab=&+;\u00e9 ", max_size=20))
def test_a_plain_form_is_read_as_any(text):
    """Where nothing is quoted a shorter way is taken: it comes to the same."""
    assert bodies._pairs(text) == parse_qsl(text, keep_blank_values=True, errors="strict")


def test_declared_length_is_refused_before_a_byte_is_read(serving):
    """A body that says it is too large is answered although it never comes."""
    head = f"POST {PATH} HTTP/1.1\nHost: x\nContent-Length: 65537\n\n"

    status, body = _answer(_send(serving.url, head))

    assert status == 413
    assert body["error"]["code"] == "too_large"


def test_chunked_body_is_refused_before_its_end(serving):
    """A body without a length is counted: the answer comes while it is still being sent."""
    head = f"POST {PATH} HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n"
    chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"

    status, body = _answer(_send(serving.url, head, *[chunk] * 9))

    assert status == 413
    assert body["error"]["code"] == "too_large"


def test_whoever_sends_on_still_gets_the_answer(serving):
    """A caller that reads only after it has sent everything sees 413, not a broken connection."""
    response = serving.client.post(PATH, content=(b"x" * 4096 for _ in range(150)))

    assert response.status_code == 413
    assert serving.events() == []


def test_64_kib_are_not_too_large(serving):
    """The limit itself is allowed."""
    start = b"username=alice&slug=energy&rest="
    body = start + b"x" * (64 * 1024 - len(start))

    assert serving.client.post(PATH, content=body).json() == {"status": "late"}
    assert serving.client.post(PATH, content=body + b"x").status_code == 413


def test_slow_body_is_given_up(serving, monkeypatch):
    """A caller that never finishes does not stay."""
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.2)
    head = f"POST {PATH} HTTP/1.1\nHost: x\nContent-Length: 50\n\nusername="

    status, body = _answer(_send(serving.url, head))

    assert status == 408
    assert body["error"]["code"] == "too_slow"


def test_caller_that_hangs_up_leaves_nothing(serving):
    """Half a callback is no callback."""
    head = f"POST {PATH} HTTP/1.1\nHost: x\nContent-Length: 50\n\nusername=alice&slug=x"
    _send(serving.url, head).close()

    assert serving.client.get("/healthz").status_code == 200
    assert serving.events() == []


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"", b'{"a":1}x', b'{"a":}'])
def test_only_objects_are_objects(body):
    """JSON of another shape is malformed."""
    with pytest.raises(bodies.AnswerError) as caught:
        bodies.parse_object(body)
    assert caught.value.status == 400


def test_missing_is_allowed_only_where_it_is_said():
    """A field that need not be there is None; an empty one is still wrong."""
    assert bodies.text_field({}, "slug", longest=5, required=False) is None
    with pytest.raises(bodies.AnswerError):
        bodies.text_field({"slug": ""}, "slug", longest=5, required=False)
