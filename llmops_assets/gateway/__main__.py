"""Run a gateway: `python -m llmops_assets.gateway --root FOLDER …`. Everything it needs is on the command line, but the
secret behind pseudonyms where its owner keeps it in the environment."""

import argparse
import ctypes
import gc
import json
import os
from pathlib import Path

import uvicorn

from llmops_assets.gateway.addresses import is_loopback
from llmops_assets.gateway.app import create_app
from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.cache import AnswerCache
from llmops_assets.gateway.callers import Callers
from llmops_assets.gateway.chain import Chain
from llmops_assets.gateway.engine import LlamaCppEngine
from llmops_assets.gateway.identity.budgets import Budgets
from llmops_assets.gateway.identity.denials import Denials
from llmops_assets.gateway.identity.keys import KeyStore
from llmops_assets.gateway.identity.ledger import Ledger
from llmops_assets.gateway.identity.own import own_key
from llmops_assets.gateway.identity.providers import IdentityProviders
from llmops_assets.gateway.identity.tokens import Tokens
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.logs import set_up
from llmops_assets.gateway.releases import Releases
from llmops_assets.gateway.server import server_config
from llmops_assets.gateway.spans import NO_TRACES, Traces
from llmops_assets.gateway.upstreams.engines import Engines
from llmops_assets.gateway.upstreams.settings import UpstreamConfigError, UpstreamSettings
from llmops_assets.gateway.vllm.engine import VLLM
from llmops_assets.gateway.vllm.settings import VLLMSettings
from llmops_assets.lib.answering.embedding import CachedEmbedder, Embedder, find_embedder_folder
from llmops_assets.lib.records import HostingOption, SubjectPattern
from llmops_assets.lib.redaction import SUBJECT_KEY_VARIABLE, Redactor, load_subject_keys
from llmops_assets.lib.signing import REFUSED, RefusedError, refusal


def main() -> None:
    """Serve the releases that the state file in --root names, until a signal ends it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder with state.json and bundles/")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8730)
    parser.add_argument("--log-url", required=True, help="SQLAlchemy URL of the interaction log")
    parser.add_argument("--subject-key", type=Path, required=True, help="file with the key behind pseudonyms")
    parser.add_argument("--trusted-keys", type=Path, required=True, help="PEM file of the keys that sign releases")
    parser.add_argument("--redaction", type=Path, help="JSON: {identifiers: [...], allow: [...]}")
    parser.add_argument("--embedder", type=Path, help="folder of the embedder; default: the PyPI wheel's")
    parser.add_argument("--cache", type=Path, help="SQLite file of known embeddings")
    parser.add_argument("--own-key", type=Path, help="file with the key by which the installation itself asks")
    parser.add_argument("--upstreams", type=Path, help="JSON: UpstreamSettings; none: the embedded engine answers")
    parser.add_argument("--identity", type=Path, help="JSON: IdentityProviders; none: keys alone let callers in")
    parser.add_argument("--vllm", type=Path, help="JSON: VLLMSettings; none: the embedded engine is llama.cpp")
    parser.add_argument("--models", type=Path, help="folder of converted base models; default: one in --root")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2, help="threads of an engine")
    parser.add_argument("--slots", type=int, default=4, help="answers generated at the same time")
    parser.add_argument("--replay", action="store_true", help="take times from the x-llmops-time header")
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="json: a line per request too")
    parser.add_argument("--traces", default="", help="OTLP receiver to which spans are sent, http://127.0.0.1:4318")
    parser.add_argument("--hosting", type=Path, help="JSON of the hosting option at whose prices answers are counted")
    parser.add_argument("--budget-per-day", type=float, default=0.0, help="money that a day may cost, for alerts")
    parser.add_argument("--cache-answers", type=int, default=0, help="answers that are remembered; 0: none")
    parser.add_argument("--cache-seconds", type=float, default=3600.0, help="how long one is remembered")
    arguments = parser.parse_args()
    set_up(arguments.log_format)
    about = json.loads(arguments.redaction.read_text()) if arguments.redaction else {"identifiers": [], "allow": []}
    identifiers = [SubjectPattern.model_validate(p) for p in about["identifiers"]]
    newest, *older = load_subject_keys(arguments.subject_key, os.environ.get(SUBJECT_KEY_VARIABLE))
    redactor = Redactor(identifiers, newest, allow=about["allow"], old_keys=older)
    redactor.redact(["Loads the language model before the first customer comes."])
    embedder = Embedder(arguments.embedder or find_embedder_folder())
    cached = CachedEmbedder(embedder, arguments.cache) if arguments.cache else embedder

    def llama(bundle: Bundle) -> LlamaCppEngine:
        return LlamaCppEngine(bundle, threads=arguments.threads, slots=arguments.slots)

    vllm = None
    if arguments.vllm:
        settings = VLLMSettings.model_validate_json(arguments.vllm.read_text())
        models = arguments.models or arguments.root / "models"
        vllm = VLLM(settings, arguments.root / "vllm", models, threads=arguments.threads)
    told = arguments.upstreams.read_text() if arguments.upstreams else "{}"
    upstreams = UpstreamSettings.model_validate_json(told)
    try:
        engines = Engines(upstreams, vllm or llama, os.environ)
    except UpstreamConfigError as error:
        raise SystemExit(str(error)) from None
    log = InteractionLog(arguments.log_url)

    def refused(error: RefusedError) -> None:
        log.audit(REFUSED, refusal(error))

    releases = Releases(
        arguments.root,
        engines,
        embedder.digest,
        arguments.trusted_keys,
        refused,
        closing=vllm.close if vllm else None,
        weightless=engines.weightless,
    )
    told = arguments.identity.read_text() if arguments.identity else "{}"
    callers = Callers(
        KeyStore(arguments.log_url),
        own=own_key(arguments.own_key) if arguments.own_key else "",
        open=is_loopback(arguments.host),
        replay=arguments.replay,
        denied=Denials(log.audit),
        tokens=Tokens(IdentityProviders.model_validate_json(told).providers),
    )
    limited = upstreams.budgets.limits
    budgets = Budgets(upstreams.budgets, upstreams.prices, Ledger(arguments.log_url)) if limited else None
    chain = Chain(
        redactor,
        cached,
        log,
        releases,
        budgets=budgets,
        cache=AnswerCache(arguments.cache_answers, arguments.cache_seconds) if arguments.cache_answers else None,
        traces=_traces(arguments.traces),
        hosting=HostingOption.model_validate_json(arguments.hosting.read_text()) if arguments.hosting else None,
    )
    chain.metrics.budget.set(arguments.budget_per_day)
    for figures in filter(None, (engines.healths, budgets)):
        chain.metrics.registry.register(figures)
    app = create_app(chain, callers)
    settle()
    uvicorn.Server(server_config(app, host=arguments.host, port=arguments.port)).run()


def settle() -> None:
    """Give back to the system what loading took and left, and let collections pass over all that stays for good."""
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    # glibc keeps what was freed; another C library has no such function.
    if trim is not None:
        trim(0)


def _traces(endpoint: str) -> Traces:
    """Where exchanges are traced; without an endpoint nothing of it is loaded."""
    if not endpoint:
        return NO_TRACES
    from llmops_assets.gateway.traces import open_traces

    return open_traces(endpoint)


if __name__ == "__main__":
    main()
