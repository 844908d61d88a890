"""Somebody who gathers traces, as OTLP over HTTP brings them."""

import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Collector:
    """What came, as (trace, name, process); `text` is all of it."""

    url: str = ""
    spans: list[tuple[str, str, str]] = field(default_factory=list)
    text: str = ""

    def take(self, body: bytes) -> None:
        """One export."""
        sent = ExportTraceServiceRequest.FromString(body)
        self.text += str(sent)
        for resource in sent.resource_spans:
            known = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.spans += [
                (span.trace_id.hex(), span.name, known["waggle.process"])
                for scope in resource.scope_spans
                for span in scope.spans
            ]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""
    made = Collector()

    class Door(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            zipped = self.headers.get("Content-Encoding") == "gzip"
            made.take(gzip.decompress(body) if zipped else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
