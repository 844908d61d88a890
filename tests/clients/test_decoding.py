"""Bodies that are more than they seem: an error of ours, in little memory."""

import gzip
import json
import threading
import tracemalloc
import zlib

import httpx
import pytest

from clients import decoding, errors

MIB = 1024 * 1024
BOMB = gzip.compress(bytes(300 * MIB), compresslevel=9, mtime=0)
DEEP = 100_000


def packed(body, coding="gzip"):
    """A server whose answers have such a body."""
    return lambda _request: httpx.Response(
        200, headers={"Content-Encoding": coding}, stream=httpx.ByteStream(body)
    )


@pytest.fixture
def peak():
    """The most memory that was taken since, in MiB."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1] / MIB
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", BOMB),
        ("x-gzip", BOMB),
        ("deflate", zlib.compress(bytes(300 * MIB))),
        ("gzip", gzip.compress(bytes(MIB)) * 300),
    ],
    ids=["gzip", "its old name", "deflate", "many members"],
)
def test_a_bomb_ends_at_the_limit(make_api, http, vendor, peak, coding, body):
    """What stands for 300 MiB is given up after one, and no more than that was ever in memory."""
    vendor.answers(packed(body, coding))
    api = make_api(http=http, base_url="http://vendor.test/", max_bytes=MIB)
    with pytest.raises(errors.UnexpectedResponse) as caught:
        api.ask()
    assert caught.value.reason == "too_large"
    assert peak() < 5


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,deflate", "br", "zstd", "compress", "x"])
def test_nothing_is_unpacked_twice_or_unasked(make_api, http, vendor, peak, coding):
    """A bomb within a bomb is not even touched, nor is a coding that nobody asked for."""
    vendor.answers(packed(gzip.compress(BOMB), coding))
    with pytest.raises(errors.UnexpectedResponse, match="can't be decompressed"):
        make_api(http=http, base_url="http://vendor.test/").ask()
    assert peak() < 5


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"[12345]", mtime=0),
        gzip.compress(b"[12", mtime=0) + gzip.compress(b"345]", mtime=0),
        zlib.compress(b"[12345]"),
    ],
    ids=["gzip", "two members", "zlib"],
)
def test_what_is_packed_as_usual_is_read(make_api, http, vendor, body):
    """In one member or several, in the header of either kind."""
    vendor.answers(packed(body))
    assert make_api(http=http, base_url="http://vendor.test/").ask().json() == [12345]


def test_what_is_not_packed_is_read(make_api, http, vendor):
    """Also where it is said so."""
    vendor.answers(packed(b"[1]", "identity"))
    assert make_api(http=http, base_url="http://vendor.test/").ask().json() == [1]


def test_half_of_a_packed_body_is_none(make_api, http, vendor):
    """A number whose end is missing would be another number."""
    vendor.answers(packed(gzip.compress(b"1234567890" * 50, mtime=0)[:-9]))
    with pytest.raises(errors.UnexpectedResponse, match="can't be decompressed"):
        make_api(http=http, base_url="http://vendor.test/").ask()


def test_a_packed_answer_without_a_body_is_one(make_api, http, vendor):
    """As servers send it with a 204."""
    vendor.answers(packed(b""))
    assert make_api(http=http, base_url="http://vendor.test/").ask().body == b""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[" * DEEP + b"]" * DEEP, "is nested too deeply"),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "is nested too deeply"),
        (b'{"value":' + b"1" * 1_000_000 + b"}", "has a number with too many digits"),
        (b'{"value":1,"value":2}', "has an object with two values of one name"),
        (b'[{"a":{"b":1,"b":[1]}}]', "has an object with two values of one name"),
        (b"[" + b"{}," * decoding.MOST_CONTAINERS + b"{}]", "has more than 500000 objects"),
        (b'{"value":', "is not JSON"),
        (b"\xff\xfe\xfd", "is not JSON"),
        (b"", "is not JSON"),
    ],
    ids=["lists", "objects", "digits", "twice", "twice inside", "many", "cut", "bytes", "nothing"],
)
def test_json_that_is_a_trap_says_which(make_api, http, vendor, body, said):
    """Depth, digits, doubles and numbers of objects: an error that tells what was wrong with it."""
    vendor.answers(httpx.Response(200, content=body))
    with pytest.raises(errors.UnexpectedResponse, match=said) as caught:
        make_api(http=http, base_url="http://vendor.test/").ask().json()
    assert len(str(caught.value)) < 300
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', "[NaN, Infinity]", '{"a":{"a":1}}', "1"])
def test_json_that_is_only_odd_is_read(text):
    """What can mean one thing only is taken as such."""
    assert repr(decoding.loads(text.encode())) == repr(json.loads(text))


ENDLESS = {
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"),
    "headers": (b"X-A: ", b"a" * 4096),
    "hints": (b"\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
}


@pytest.mark.parametrize(
    ("what", "step", "reason"),
    [("chunks", 0.0, "too_large"), ("headers", 0.0, "unavailable"), ("hints", 1.0, "timeout")],
)
def test_what_never_ends_is_given_up(
    make_api, real_http, wire, make_clock, peak, what, step, reason
):
    """An answer that goes on and on over a real socket ends at a size or at the deadline."""
    over = threading.Event()
    status = b"103 Early Hints" if what == "hints" else b"200 OK"
    begin, rest = ENDLESS[what]

    def endless(server, connection):
        server.read_head(connection)
        try:
            connection.sendall(b"HTTP/1.1 " + status + b"\r\n" + begin)
            while not over.is_set():
                connection.sendall(rest)
        except OSError:
            return

    clock = make_clock(step=step)
    api = make_api(
        http=real_http, base_url=wire(endless).url, max_bytes=MIB, deadline=30, monotonic=clock
    )
    with pytest.raises(errors.ClientError) as caught:
        api.ask("POST")
    over.set()
    assert caught.value.reason == reason
    assert peak() < 8
