"""Services that people are told by, as servers on loopback: one for HTTP, one for mail."""

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listener:
    """What came in, by path; `answers` says what a path is answered with, `hung` holds it back."""

    port: int = 0
    came: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)
    free: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, schema: str = "json") -> str:
        """An Apprise address of this server."""
        return f"{schema}://127.0.0.1:{self.port}/{path}"

    def texts(self, path: str) -> list[str]:
        """Title and text of each message that came in there."""
        return [
            f"{body.get('title')}\n{body.get('message')}"
            for came, body in self.came
            if came == f"/{path}"
        ]


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """An HTTP server that takes posts."""
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            listener.came.append((self.path, json.loads(text) if text else {}))
            if self.path.strip("/") in listener.hangs:
                listener.free.wait(30)
            with contextlib.suppress(OSError):
                self.send_response(listener.answers.get(self.path.strip("/"), 200))
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield listener
    finally:
        listener.free.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Mailbox:
    """What an SMTP server took: whole messages, as they came."""

    port: int = 0
    mails: list[str] = field(default_factory=list)

    def url(self) -> str:
        """An Apprise address that mails to alice."""
        return f"mailto://127.0.0.1:{self.port}/?from=waggle@example.org&to=alice@example.org"


@contextlib.contextmanager
def mailing() -> Iterator[Mailbox]:
    """An SMTP server that takes what it is given (RFC 5321, as little of it as a client needs)."""
    mailbox = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 mail.test")
            for line in iter(self.rfile.readline, b""):
                word = line[:4].upper()
                if word == b"DATA":
                    self.say("354 go on")
                    mailbox.mails.append(
                        b"".join(iter(self.rfile.readline, b".\r\n")).decode("utf-8", "replace")
                    )
                    self.say("250 taken")
                elif word == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 well")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()


def nobody() -> int:
    """A port at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
