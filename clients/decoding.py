"""Bodies as they were before they were packed for the way, and JSON that means one thing.

A few kilobytes may stand for gigabytes, once or one in the other: so what is unpacked is handed on
in small pieces, to be counted, and nothing is unpacked twice.
"""

import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx

PIECE = 64 * 1024
# What is said in two or three bytes takes hundreds in memory, if it is an object or a list.
MOST_CONTAINERS = 500_000
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})  # we ask for gzip (RFC 9110, 8.4.1)
_EITHER_HEADER = zlib.MAX_WBITS | 32


def unpacked(response: httpx.Response) -> Iterator[bytes]:
    """The body in pieces, unpacked ones of 64 KiB at most. Raises httpx.DecodingError."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in _PACKED:
        yield from _inflated(response)
    elif coding in {"", "identity"}:
        yield from _raw(response)
    else:
        raise httpx.DecodingError("a coding that was not asked for, or one in another")


def _raw(response: httpx.Response) -> Iterator[bytes]:
    if not isinstance(response.stream, httpx.SyncByteStream):
        raise TypeError("an answer of a client that is not asynchronous is needed")
    yield from response.stream


def _inflated(response: httpx.Response) -> Iterator[bytes]:
    inflater = zlib.decompressobj(_EITHER_HEADER)
    begun = False
    try:
        for packed in _raw(response):
            left = packed
            while left:
                if inflater.eof:  # one member may follow another
                    inflater = zlib.decompressobj(_EITHER_HEADER)
                begun = True
                yield inflater.decompress(left, PIECE)
                left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from None
    if begun and not inflater.eof:
        raise httpx.DecodingError("the end is missing")


def loads(body: bytes) -> object:
    """The JSON value; bare Infinity and NaN are kept. ValueError says what is wrong, and no more.

    An object that says two things under one name says nothing.
    """
    if body.count(b"{") + body.count(b"[") > MOST_CONTAINERS:
        raise ValueError(f"has more than {MOST_CONTAINERS} objects and lists")
    # The parser's own error holds the document, which may hold tokens: no chain to it.
    wrong = "is not JSON"
    try:
        return json.loads(body, object_pairs_hook=_object)
    except RecursionError:
        wrong = "is nested too deeply"
    except _TwiceError:
        wrong = "has an object with two values of one name"
    except (json.JSONDecodeError, UnicodeDecodeError):
        pass
    except ValueError:
        wrong = "has a number with too many digits"
    raise ValueError(wrong)


class _TwiceError(Exception):
    """A name stands twice in an object, for different values."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) and any(found[name] != value for name, value in pairs):
        raise _TwiceError
    return found
