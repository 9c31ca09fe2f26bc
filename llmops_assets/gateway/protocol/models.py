"""The models that a client may name: the stages of the served release, and the embedder."""

from typing_extensions import TypedDict

from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.exchange import Which
from llmops_assets.gateway.releases import Releases

DEFAULT = "assistant"
ASSISTANTS: dict[str, Which] = {
    "assistant": "live",
    "assistant-canary": "canary",
    "assistant-shadow": "shadow",
    "assistant-preview": "preview",
}
EMBEDDER = "embedder"
"""The embedder that articles and questions are compared with."""


class Model(TypedDict):
    """A model that answers now. Times are Unix seconds; `context` are the tokens of prompt and answer together."""

    id: str
    object: str
    created: int
    owned_by: str
    release: str | None
    context: int | None


class ModelList(TypedDict):
    """The models that answer now."""

    object: str
    data: list[Model]


def which(name: str | None) -> Which:
    """The stage of a release that a model's name stands for; without a name the live one. RequestError."""
    found = ASSISTANTS.get(name or DEFAULT)
    if found is None:
        raise unknown(f"there are {', '.join(ASSISTANTS)}")
    return found


def unknown(there_are: str) -> RequestError:
    """No such model."""
    return RequestError(404, f"no model of that name; {there_are}", code="model_not_found", param="model")


def served(releases: Releases) -> list[Model]:
    """The models that would answer now."""
    found: list[Model] = []
    for name, stage in ASSISTANTS.items():
        serving = releases.serving(stage)
        if serving is not None:
            created, release, context = serving.bundle.written, serving.bundle.release_id, serving.engine.context
            found.append(_model(name, created, release, context))
    if found:
        found.append(_model(EMBEDDER, found[0]["created"], None, None))
    return found


def one(releases: Releases, name: str) -> Model:
    """The model of a name; RequestError 404 where none would answer to it."""
    models = served(releases)
    for model in models:
        if model["id"] == name:
            return model
    raise unknown(f"there are {', '.join(model['id'] for model in models) or 'none yet: deploy a release'}")


def _model(name: str, created: int, release: str | None, context: int | None) -> Model:
    owner = "llmops"
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": owner,
        "release": release,
        "context": context,
    }
