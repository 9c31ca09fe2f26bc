"""Parameters that chat completions, completions and responses have in common."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.protocol.fields import Body, honoured, ignored, refused
from llmops_assets.gateway.wishes import Wishes

MOST_USER = 512
MOST_STOPS = 4
INT64 = 2**63
Stop = Annotated[str, Field(min_length=1, max_length=200)]
Metadata = dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]]


class Sampled(Body):
    """Parameters of every endpoint that answers."""

    model: str | None = honoured("`assistant`, or `-canary`, `-shadow`, `-preview` of it", max_length=200)
    stream: bool | None = honoured("the answer as server-sent events")
    temperature: float | None = honoured("of generated answers", ge=0, le=2)
    top_p: float | None = honoured("of generated answers", ge=0, le=1)
    user: str | None = honoured(
        "who asks, kept as a pseudonym; one person has one pseudonym everywhere", max_length=MOST_USER
    )


class Completing(Sampled):
    """Parameters of chat completions and completions."""

    max_tokens: int | None = honoured(
        "cuts every answer, published ones too; the release's own limit holds beside it", ge=1, lt=INT64
    )
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = honoured(
        "up to 4 texts before which the answer ends"
    )
    seed: int | None = honoured("of generated answers with a temperature", ge=-INT64, lt=INT64)
    frequency_penalty: float | None = honoured("of generated answers", ge=-2, le=2)
    presence_penalty: float | None = honoured("of generated answers", ge=-2, le=2)
    n: int | None = refused("one answer per request, so n is 1", ge=1, le=1)
    logit_bias: Annotated[dict[str, Any], Field(max_length=0)] | None = refused("no token is favoured: leave it empty")
    stream_options: "StreamOptions | None" = honoured("`include_usage`")

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with its tokens."""
        return self.stream_options is not None and self.stream_options.include_usage is True

    def wishes(self, most: int | None) -> Wishes:
        """What is asked of the answer, which has at most `most` tokens."""
        stop = self.stop if isinstance(self.stop, list) else [self.stop] if self.stop else []
        return Wishes(
            max_tokens=most,
            stop=tuple(stop),
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
        )


class StreamOptions(Body):
    """Options of a stream."""

    include_usage: bool | None = honoured("a last chunk with the tokens")
    include_obfuscation: bool | None = ignored("no padding is sent")


Completing.model_rebuild()


def stream_options(body: Completing) -> tuple[str, ...]:
    """Options of a stream that change nothing."""
    options = body.stream_options
    if options is None or options.include_obfuscation is None:
        return ()
    return ("stream_options.include_obfuscation",)


def person(user: str | None, identifier: str | None) -> str:
    """Who asks, by whichever of OpenAI's two names for it."""
    return user or identifier or ""


def conversation(metadata: Mapping[str, str] | None) -> tuple[str, tuple[str, ...]]:
    """The conversation that `metadata` names, and the entries that change nothing."""
    given = dict(metadata or {})
    name = given.pop("conversation", "")
    return name, tuple(f"metadata.{key}" for key in given)


def one_limit(first: int | None, second: int | None, names: tuple[str, str]) -> int | None:
    """The limit that is given under one of two names; RequestError where both are and differ."""
    if first is not None and second is not None and first != second:
        said = f"{names[0]} and {names[1]} are two names of one limit: give one"
        raise RequestError(400, said, code="invalid_value", param=names[0])
    return first if first is not None else second
