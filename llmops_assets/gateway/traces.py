"""Traces of exchanges by OpenTelemetry's conventions for generative AI, sent as OTLP over HTTP.

Span names and attributes are those of opentelemetry-util-genai, as the conventions still change
(https://github.com/open-telemetry/semantic-conventions-genai). No text of a question or an answer, no person and no
conversation is ever handed to it: an interaction's id leads to its row in the log, where erasure reaches it.
"""

import contextlib
from collections.abc import Generator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.spans import ExchangeSpan, Traces
from llmops_assets.lib.errors import LlmopsError

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from opentelemetry.util.genai.handler import TelemetryHandler

SERVICE = "llmops-gateway"
PROVIDER = "llmops"
"""`gen_ai.provider.name`: the gateway's own engines and index."""
WORKFLOW = "assistant"


class TracesError(LlmopsError, ValueError):
    """Nothing can be traced as it is asked for; the message says what is missing."""


def open_traces(endpoint: str) -> Traces:
    """Traces that are sent to `<endpoint>/v1/traces` in the background; TracesError without the packages for it.

    Headers, time-outs and sampling are OpenTelemetry's own variables of the environment (OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_TRACES_SAMPLER, …), which its packages read.
    """
    if not endpoint.startswith(("http://", "https://")):
        raise TracesError(f"{endpoint!r} is no address of an OTLP receiver: write one such as http://127.0.0.1:4318")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise TracesError(f"tracing needs the extra `traces` (pip install 'llmops-assets[traces]'): {error}") from None
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    return OpenTelemetryTraces(provider)


class OpenTelemetryTraces(Traces):
    """Traces by a provider of OpenTelemetry's (`opentelemetry.sdk.trace.TracerProvider`), which is ours to end."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry._logs import NoOpLoggerProvider
        from opentelemetry.metrics import NoOpMeterProvider
        from opentelemetry.util.genai.handler import TelemetryHandler

        self._provider = provider
        self._tracer = provider.get_tracer(__name__)
        # Figures are Prometheus's here (metrics.py), and its events would be of texts.
        self._handler = TelemetryHandler(
            tracer_provider=provider,
            meter_provider=NoOpMeterProvider(),
            logger_provider=NoOpLoggerProvider(),
            instrumentation_scope_name=__name__,
        )

    def begin(self, exchange: Exchange) -> ExchangeSpan:
        """A trace of its own."""
        return _Span(self._handler, self._tracer, exchange)

    def close(self) -> None:
        """Send what is held, and end."""
        self._provider.shutdown()


class _Span(ExchangeSpan):
    def __init__(self, handler: "TelemetryHandler", tracer: "Tracer", exchange: Exchange) -> None:
        from opentelemetry.context import Context

        self._handler = handler
        self._tracer = tracer
        self._root = handler.workflow(name=WORKFLOW, context=Context())
        # An exchange is begun and ended in different tasks, so it is nobody's current span.
        self._root.suspend()
        self.trace = format(self._root.span.get_span_context().trace_id, "032x")
        self._root.attributes["llmops.interaction"] = exchange.id

    def step(self, name: str, exchange: Exchange) -> AbstractContextManager[None]:
        kinds = {"retrieve": self._retrieval, "generate": self._inference}
        return kinds[name](exchange) if name in kinds else self._plain(name)

    def end(self, exchange: Exchange) -> None:
        status = exchange.progress.status
        told = {
            "llmops.release": exchange.release_id,
            "llmops.path": exchange.path or "refused",
            "llmops.status": status,
            "llmops.cached_seconds": exchange.recalled_after,
        }
        self._root.attributes.update({name: value for name, value in told.items() if value is not None})
        if status < 400:
            self._root.stop()
        else:
            self._root.fail(_nameless(str(status)))

    @contextlib.contextmanager
    def _plain(self, name: str) -> Generator[None]:
        from opentelemetry.trace import Status, StatusCode

        span = self._tracer.start_span(f"step {name}", context=self._root.context)
        try:
            yield
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()

    @contextlib.contextmanager
    def _retrieval(self, exchange: Exchange) -> Generator[None]:
        file = exchange.release.bundle.manifest.knowledge_index
        source = file.ref.commit if file else None
        found = self._handler.retrieval(data_source_id=source, provider=PROVIDER, context=self._root.context)
        with _failing(found):
            yield
            if exchange.similarity is not None:
                found.attributes["llmops.similarity"] = exchange.similarity
            found.stop()

    @contextlib.contextmanager
    def _inference(self, exchange: Exchange) -> Generator[None]:
        manifest = exchange.release.bundle.manifest
        made = self._handler.inference(PROVIDER, request_model=manifest.base.name, context=self._root.context)
        with _failing(made):
            yield
            made.response_model_name = exchange.release_id
            made.finish_reasons = [exchange.finish]
            made.input_tokens, made.output_tokens = exchange.usage.input_tokens, exchange.usage.output_tokens
            if exchange.first_token is not None:
                made.attributes["llmops.first_token_seconds"] = round(exchange.first_token, 4)
            made.stop()


@contextlib.contextmanager
def _failing(invocation: Any) -> Generator[None]:
    try:
        yield
    except BaseException as error:
        invocation.fail(_nameless(type(error).__name__))
        raise


def _nameless(kind: str) -> Any:
    """An error by its kind alone: its message may quote what was asked."""
    from opentelemetry.util.genai.types import Error

    return Error(message="", type=kind)
