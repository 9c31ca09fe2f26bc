"""What a step is, and the four places where one can stand."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from llmops_assets.gateway.exchange import Exchange


class Step(ABC):
    """One thing the gateway does for a request; made once with what it needs, run for many exchanges at a time."""

    name: ClassVar[str]
    """How the metrics call it."""

    @abstractmethod
    async def run(self, exchange: Exchange) -> None:
        """Read the exchange and fill in what this step finds; raise a GatewayError to refuse or fail the request.

        What must be freed when the request is over goes on `exchange.held`.
        """


@dataclass(frozen=True)
class Steps:
    """The table of steps; within each place they run in order.

    `admission` runs before anything is sent, so its refusals are HTTP statuses. `answering` runs until one of its steps
    has an answer (`exchange.draft`): what comes first spares the rest. `guards` run over every answer, whatever made
    it, and may replace or refuse it. `endings` run once at the end of every exchange, also of refused, failed and
    aborted ones.
    """

    admission: tuple[Step, ...] = ()
    answering: tuple[Step, ...] = ()
    guards: tuple[Step, ...] = ()
    endings: tuple[Step, ...] = ()
