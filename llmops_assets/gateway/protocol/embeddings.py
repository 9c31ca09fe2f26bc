"""`POST /v1/embeddings`: https://platform.openai.com/docs/api-reference/embeddings. The embedder of the articles."""

import base64
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from typing_extensions import TypedDict

from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.protocol import models
from llmops_assets.gateway.protocol.fields import Body, honoured, ignored
from llmops_assets.gateway.protocol.messages import MOST_CHARACTERS

MOST_TEXTS = 256
Text = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]


class EmbeddingsBody(Body):
    """Texts whose vectors are asked for."""

    input: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)] = honoured(
        "a text or up to 256; personal data in it is masked first; no lists of tokens", ...
    )
    model: str | None = honoured("`embedder`", max_length=200)
    encoding_format: Literal["float", "base64"] | None = honoured("float, or base64 of little-endian float32")
    dimensions: int | None = honoured("the embedder's own number; another is refused", ge=1, le=2**31)
    user: str | None = ignored("nothing of the request is kept", max_length=512)

    @property
    def texts(self) -> list[str]:
        """The texts."""
        return [self.input] if isinstance(self.input, str) else self.input


class Embedding(TypedDict):
    """A unit vector."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class AboutEmbeddings(TypedDict):
    """What is ours: the parameters that changed nothing."""

    ignored: list[str]


class Embeddings(TypedDict):
    """Vectors in the order of the texts."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
    llmops: AboutEmbeddings


def check_model(body: EmbeddingsBody) -> None:
    """RequestError 404 for another model than the embedder."""
    if body.model not in (None, models.EMBEDDER):
        raise models.unknown(f"embeddings are of {models.EMBEDDER}")


def embeddings(body: EmbeddingsBody, vectors: np.ndarray, tokens: int, ignored: Sequence[str]) -> Embeddings:
    """The answer; RequestError where the vectors should have another length."""
    width = int(vectors.shape[1])
    if body.dimensions not in (None, width):
        raise RequestError(400, f"vectors have {width} dimensions", code="invalid_value", param="dimensions")
    rows = vectors.astype("<f4")
    encoded = [
        base64.b64encode(row.tobytes()).decode() if body.encoding_format == "base64" else row.tolist() for row in rows
    ]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(encoded)],
        "model": models.EMBEDDER,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "llmops": {"ignored": list(ignored)},
    }
