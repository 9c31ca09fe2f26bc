"""A receiver of OTLP over HTTP for tests: what was sent, decoded by OpenTelemetry's own messages."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Span:
    """A span as it was received; `wire` is the whole of it as text, with names and values of everything."""

    trace: str
    id: str
    parent: str
    name: str
    failed: bool
    attributes: dict[str, Any]
    wire: str


class Receiver:
    """Listens on a free loopback port."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.requests: list[tuple[str, bytes]] = []
        received = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received.take(self.path, self.headers.get("content-encoding", ""), body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def take(self, path: str, encoding: str, body: bytes) -> None:
        """Keep a request, and the spans of it."""
        import gzip

        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        plain = gzip.decompress(body) if encoding == "gzip" else body
        self.requests.append((path, plain))
        told = ExportTraceServiceRequest.FromString(plain)
        for resource in told.resource_spans:
            about = _values(resource.resource.attributes)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Span(
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.name,
                            span.status.code == 2,
                            {**about, **_values(span.attributes)},
                            str(span),
                        )
                    )


def _values(attributes: Any) -> dict[str, Any]:
    return {entry.key: _value(entry.value) for entry in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(entry) for entry in value.array_value.values]
    return getattr(value, kind)
