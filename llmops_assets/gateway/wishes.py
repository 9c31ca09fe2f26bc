"""What a caller asks of one answer beside the question: how it is sampled, and where it ends."""

from dataclasses import dataclass, fields

SAMPLING = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")
"""What matters only where an engine makes the answer up: a published article is not sampled."""


@dataclass(frozen=True)
class Wishes:
    """Names and ranges are OpenAI's. None: as the release does it.

    `max_tokens` and `stop` hold for every answer, the others for generated ones. More tokens than the release writes at
    most are not asked for. `grammar` (GBNF) is what the answer must fit, "" for text; `form` is the same as
    OpenAI's `response_format`, in JSON.
    """

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    grammar: str = ""
    form: str = ""

    @property
    def sampling(self) -> tuple[str, ...]:
        """Names of the wishes about sampling that were given."""
        given = (field.name for field in fields(self) if getattr(self, field.name) is not None)
        return tuple(name for name in given if name in SAMPLING)


NONE = Wishes()
