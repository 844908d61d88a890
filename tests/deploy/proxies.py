"""The proxies of `deploy/proxy`, run as they are written but for addresses and certificates."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.blackbox.house import free_port

PROXY = Path(__file__).parents[2] / "deploy" / "proxy"
START_SECONDS = 20.0


def caddy() -> str | None:
    """Caddy of the tests' environment, or of the machine."""
    mine = Path(sys.executable).parent / "caddy"
    return str(mine) if mine.exists() else shutil.which("caddy")


def nginx() -> str | None:
    """Where Debian puts nginx is not on everybody's path."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


PROGRAMS: dict[str, Callable[[], str | None]] = {"caddy": caddy, "nginx": nginx}


class Backend:
    """In the place of Waggle: what it was asked, and answers that a test decides."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked: list[BaseHTTPRequestHandler] = []
        self.go_on = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listen from now on."""
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.startswith("/dead"):
                    self.close_connection = True
                    return
                self._answer(b"fresh")

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(b"data: first\n\n")
                self.wfile.flush()
                backend.go_on.wait(20)
                self.wfile.write(b"data: last\n\n")
                self.close_connection = True

            def _answer(self, body: bytes) -> None:
                backend.asked.append(self)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self.go_on.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@contextlib.contextmanager
def running(kind: str, program: str, folder: Path, backend: Backend) -> Iterator[str]:
    """The proxy in front of the backend; its address. What it writes is under `folder`."""
    port = free_port()
    write = {"caddy": _caddy, "nginx": _nginx}[kind]
    command = [program, *write(folder, port, backend.port)]
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command, env=os.environ | {"HOME": str(folder)}, stdout=output, stderr=output
        )
    try:
        ends_at = time.monotonic() + START_SECONDS
        while not _listens(port):
            assert process.poll() is None, (folder / "output.log").read_text()
            assert time.monotonic() < ends_at
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _caddy(folder: Path, port: int, backend: int) -> list[str]:
    text = (PROXY / "Caddyfile").read_text()
    text = _put(text, "\n{\n", "\n{\n\tadmin off\n\tpersist_config off\n")
    text = _put(text, "waggle.example.org {", f"http://127.0.0.1:{port} {{")
    text = _put(text, "127.0.0.1:8000", f"127.0.0.1:{backend}")
    (folder / "Caddyfile").write_text(text)
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _nginx(folder: Path, port: int, backend: int) -> list[str]:
    text = (PROXY / "nginx.conf").read_text()
    text = _put(text, "listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = "\n".join(line for line in text.splitlines() if "ssl_certificate" not in line)
    text = _put(text, "127.0.0.1:8000", f"127.0.0.1:{free_port()}")  # the one that is restarted
    text = _put(text, "127.0.0.1:8001", f"127.0.0.1:{backend}")
    text = text.replace("/var/log/nginx/", f"{folder}/")
    (folder / "waggle.conf").write_text(text)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nevents {{}}\n"
        f"http {{\n{temporary}include {folder}/waggle.conf;\n}}\n"
    )
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "start.log")]


def _put(text: str, old: str, new: str) -> str:
    assert text.count(old) >= 1, old
    return text.replace(old, new)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
