"""A collector on this machine: takes OTLP (protobuf) and Application Insights (JSON) and keeps what comes."""

import gzip
import json
import ssl
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from local.loopback_http import LoopbackHttp


class Ingestion:
    """Answers every request with `status`; `spans`, `metrics` and `envelopes` are what came, decoded."""

    def __init__(self, status: int = 200, tls: ssl.SSLContext | None = None) -> None:
        self.status = status
        self.spans: list[Any] = []
        self.metrics: list[Any] = []
        self.envelopes: list[dict[str, Any]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._http = LoopbackHttp(_handler(self), tls=tls)
        self.url = self._http.url

    def __enter__(self) -> "Ingestion":
        self._http.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.__exit__(kind, error, trace)

    def take(self, path: str, body: bytes) -> bytes:
        """Decode a request; return the answer's body."""
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans += [span for scope in resource.scope_spans for span in scope.spans]
            return b""
        if path == "/v1/metrics":
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics += [metric for scope in resource.scope_metrics for metric in scope.metrics]
            return b""
        items = json.loads(body)
        self.envelopes += items
        return json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()


def _handler(ingestion: Ingestion) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            ingestion.requests.append((self.path, dict(self.headers.items())))
            answer = ingestion.take(self.path, body) if ingestion.status == 200 else b""
            self.send_response(ingestion.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    return Handler
