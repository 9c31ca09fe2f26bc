"""What the chain tells of an exchange while it runs, to whoever traces it. Off, nothing is loaded, made or sent."""

import contextlib
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from llmops_assets.gateway.exchange import Exchange


class ExchangeSpan(ABC):
    """One exchange as it is traced."""

    trace: str = ""
    """Id of the trace, 32 hexadecimal digits; "" where nothing is traced."""

    @abstractmethod
    def step(self, name: str, exchange: "Exchange") -> AbstractContextManager[None]:
        """What runs inside is the step of that name."""

    @abstractmethod
    def end(self, exchange: "Exchange") -> None:
        """The exchange is over, and what came of it is known."""


class Traces(ABC):
    """Where exchanges are traced."""

    @abstractmethod
    def begin(self, exchange: "Exchange") -> ExchangeSpan:
        """An exchange begins."""

    @abstractmethod
    def close(self) -> None:
        """Send what was not sent yet."""


class _NoSpan(ExchangeSpan):
    _nothing: ClassVar[AbstractContextManager[None]] = contextlib.nullcontext()

    def step(self, name: str, exchange: "Exchange") -> AbstractContextManager[None]:
        return self._nothing

    def end(self, exchange: "Exchange") -> None:
        pass


class _NoTraces(Traces):
    def begin(self, exchange: "Exchange") -> ExchangeSpan:
        return NO_SPAN

    def close(self) -> None:
        pass


NO_SPAN: ExchangeSpan = _NoSpan()
NO_TRACES: Traces = _NoTraces()
