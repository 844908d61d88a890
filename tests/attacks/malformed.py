"""Requests as nobody should send them: raw bytes, made from a seed."""

import json
import random
from collections.abc import Callable
from itertools import cycle, islice

from tests.webhooks import samples
from webhooks import routes

PATHS = [samples.PART.sub("{}", getattr(route, "path", "/")) for route in routes.ROUTES]
PARTS = [
    "%", "%zz", "%00", "%ff%fe", "%c0%af", "..%2f..%2f", "%0d%0aX-Evil:%20y", "%e2%80%ae",
    "a" * 5000, "%ed%a0%80", "{}", "%7b%7b7*7%7d%7d", "'%20OR%201=1--", "\\", ";", "..", ".",
    "%F0%9F%90%9D", "\x7f", "0" * 400, "-1", "9" * 40, "1e999", "NaN", "%1b[2J",
    "\u0661".encode().decode("latin-1"),
]  # fmt: skip
METHODS = [
    "GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PRI", "get",
    "BREW", "M-SEARCH", "G\x00T", "X" * 200, "PROPFIND", "",
]  # fmt: skip
VERSIONS = [
    "HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "http/1.1", "HTTP", "", "ICY",
]  # fmt: skip
HEADERS = [
    b"X-A: " + b"a" * 40_000, b"X-A: b\r\n" * 3000 + b"X: y", b"X\x00A: b", b"X-A: \x00", b"X-A",
    b": b", b"X-A: a\r\n folded: b", b"X-A: a\rX-B: b", b"X-A: a\nX-B: b", b"X-\xff: b",
    b"X-A: \xff\xfe", b" X-A: b", b"X-Request-Id: a\x1b[2Jb", b'X-Request-Id: {"a":1}',
    b"X-Request-Id: " + b"r" * 5000, b"Host: ", b"Host: a\r\nHost: b",
    b"Cookie: waggle_session=\xff; =; ;;;", b"Cookie: waggle_session=bnVsbA.AAAA",
    b"Cookie: " + b"a=b; " * 4000, b"Accept: text/html;q=\xff", b"Accept-Encoding: gzip;q=nan",
    b"Expect: 100-continue", b"Expect: 666-nothing", b"Upgrade: websocket\r\nConnection: Upgrade",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings", b"X-Forwarded-For: ,,,;\x7f",
    b"X-Forwarded-Proto: javascript", b"Range: bytes=0-,5-\xff", b'If-None-Match: "',
    b"Connection: close, keep-alive, \x01", b"HX-Request: 1", b"Last-Event-ID: " + b"9" * 400,
    b"User-Agent: \x1b]0;x\x07",
]  # fmt: skip
LENGTHS = [
    b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Content-Length: -1", b"Content-Length: +5", b"Content-Length: 0x10",
    b"Content-Length: 5, 5", b"Content-Length: " + b"9" * 30, b"Content-Length: " + b"1" * 5000,
    b"Content-Length: \xb2", b"Content-Length:", b"Content-Length: 1000000000",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
]  # fmt: skip
CHUNKS = [
    b"ffffffffffffffffff\r\nx\r\n", b"-1\r\nx\r\n", b"zz\r\nx\r\n", b"5\r\nhello",
    b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", b"5;" + b"e" * 40_000 + b"\r\nhello\r\n0\r\n\r\n",
    b"0\r\n" + b"X-T: y\r\n" * 5000 + b"\r\n", b"1\nx\n0\n\n", b"\r\n\r\n",
    b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n", b"10000\r\n" + b"x" * 65_536 + b"\r\n0\r\n\r\n",
    b"00000000000001\r\nx\r\n0\r\n\r\n",
]  # fmt: skip
BODIES = [
    b"[" * 60_000, b'{"a":' * 12_000, b'{"username":' + b"1" * 60_000 + b"}",
    b'{"username":1e999999}', b'{"username":NaN,"slug":-Infinity}',
    b'{"username":"a","username":"b","slug":"c"}',
    b'{"username":"\\ud800","slug":"\\u0000"}', b'{"username":{},"slug":[]}',
    b"\xef\xbb\xbf{}", b"\xff\xfe{\x00", b'{"goal":{"slug":"\\u001b[2J"}}',
    b'{"goal":[[[]]]}', b'{"goal":{"id":true}}', b"{} {}", b"null", b'""', b"",
    b"&".join(b"f%d=v" % number for number in range(10_000))[:65_000], b"a&" * 30_000,
    b"%" * 60_000, b"=" * 60_000, b"username=%ff&slug=%00", b"username=a&username=b&slug=c",
    b"username=a%0d%0aforged&slug=b", b"username=" + b"a" * 65_000, b"access_token=%ff",
    b"access_token=" + b"t" * 600, b"access_token[]=x", b"csrf=%ed%a0%80", b"x" * 70_000,
    b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\nx\r\n--b--',
]  # fmt: skip
TYPES = [
    b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=b",
    b"text/xml", b"", b"application/json; charset=utf-16",
    b"application/json\r\nContent-Encoding: gzip", b"application/json;;;=\xff",
]  # fmt: skip


class Maker:
    """Makes requests; `secrets` open the doors of vendors, so that what is behind is tried too."""

    def __init__(self, seed: int, secrets: list[str]) -> None:
        self._random = random.Random(seed)  # noqa: S311 -- the same ones every time
        self._secrets = secrets

    def some(self, count: int) -> list[bytes]:
        """So many requests, of all kinds in turn."""
        kinds: list[Callable[[], bytes]] = [
            self.noise, self.line, self.headers, self.path, self.length, self.chunks,
            self.body, self.body, self.query, self.pipeline,
        ]  # fmt: skip
        return [make() for make in islice(cycle(kinds), count)]

    def noise(self) -> bytes:
        """No HTTP at all, or the greeting of another protocol."""
        greetings = (
            b"",
            b"\x16\x03\x01\x02\x00",
            b"SSH-2.0-x\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET ",
        )
        return self._random.choice(greetings) + self._random.randbytes(self._random.randrange(2000))

    def line(self) -> bytes:
        """A request line with parts that are missing, too many or unknown."""
        pick = self._random.choice
        blank = pick([" ", "  ", "\t", "\x0b", ""])
        target = pick([*PATHS, "*", "http://a/b", "//a", "a:443", "?", "#", "/\xff", "/ /", ""])
        parts = (pick(METHODS), target, pick(VERSIONS))
        return (
            blank.join(parts).encode("latin-1") + pick([b"\r\n", b"\n", b"\r"]) + b"Host: x\r\n\r\n"
        )

    def headers(self) -> bytes:
        """Headers that are too large, too many, broken or odd."""
        lines = self._random.sample(HEADERS, self._random.randint(1, 3))
        return self._request(self._path(), *lines)

    def path(self) -> bytes:
        """Parts of a path that are not what a part can be."""
        return self._request(self._path(odd=True))

    def query(self) -> bytes:
        """Fields of a query that are not what a field can be."""
        names = [
            "state",
            "code",
            "access_token",
            "error",
            "next",
            "page",
            "q",
            "v",
            "user",
            "p.x",
            "%ff",
        ]
        pairs = [f"{self._random.choice(names)}={self._random.choice(PARTS)}" for _ in range(4)]
        return self._request(f"{self._path()}?{'&'.join(pairs)}")

    def length(self) -> bytes:
        """Lengths that contradict themselves."""
        return self._request(self._path(), self._random.choice(LENGTHS), b"Host: y") + b"hello"

    def chunks(self) -> bytes:
        """Chunks that are none."""
        return self._request(self._path(), b"Transfer-Encoding: chunked") + self._random.choice(
            CHUNKS
        )

    def body(self) -> bytes:
        """A body that is well delivered and makes no sense."""
        body, kind = self._random.choice(BODIES), self._random.choice(TYPES)
        if self._random.random() < 0.2:
            body = json.dumps({"username": self._random.choice(PARTS), "slug": "x"}).encode()
        lines = (b"Content-Type: " + kind, b"Content-Length: %d" % len(body))
        return self._request(self._path(), *lines, method="POST") + body

    def pipeline(self) -> bytes:
        """Many requests at once, the last one broken off."""
        return b"".join(self.path() for _ in range(self._random.randint(2, 12)))[:-5]

    def _path(self, *, odd: bool = False) -> str:
        path = self._random.choice(PATHS)
        parts = [*self._secrets, "a"] + (PARTS if odd else [])
        return path.format(*(self._random.choice(parts) for _ in range(path.count("{}"))))

    def _request(self, path: str, *lines: bytes, method: str | None = None) -> bytes:
        head = f"{method or self._random.choice(METHODS[:7])} {path} HTTP/1.1\r\nHost: x\r\n"
        return b"".join(
            [head.encode("latin-1", "replace"), *(line + b"\r\n" for line in lines), b"\r\n"]
        )
