"""How far an answer has come: a table of transitions, and the text that was sent on the way.

Everything that moves an answer goes through `Progress`, so what the log says was sent is what was sent.
"""

from enum import StrEnum

from llmops_assets.gateway.errors import CLIENT_LEFT


class State(StrEnum):
    """Where an answer stands."""

    OPEN = "open"
    STREAMING = "streaming"
    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"


class Event(StrEnum):
    """What can happen to an answer."""

    PIECE = "piece"
    END = "end"
    ERROR = "error"
    LEFT = "left"


TRANSITIONS = {
    (State.OPEN, Event.PIECE): State.STREAMING,
    (State.OPEN, Event.ERROR): State.FAILED,
    (State.OPEN, Event.LEFT): State.ABORTED,
    (State.STREAMING, Event.PIECE): State.STREAMING,
    (State.STREAMING, Event.END): State.DONE,
    (State.STREAMING, Event.ERROR): State.FAILED,
    (State.STREAMING, Event.LEFT): State.ABORTED,
}
"""Nothing follows DONE, FAILED or ABORTED, and an answer of which nothing was sent is not DONE."""


class Progress:
    """The state of one answer. RuntimeError on what cannot happen in it: a fault of the gateway's own."""

    def __init__(self) -> None:
        self.state = State.OPEN
        self.status = CLIENT_LEFT
        """HTTP's, once ended: 200, 499 when the client left, else the error's."""
        self._pieces: list[str] = []

    @property
    def sent(self) -> str:
        """What has gone out. A piece counts from the moment it is handed on: the client may have read it."""
        return "".join(self._pieces)

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen."""
        return self.state not in (State.OPEN, State.STREAMING)

    def piece(self, text: str) -> None:
        """The next piece goes out."""
        self._move(Event.PIECE)
        self._pieces.append(text)

    def end(self) -> None:
        """The whole answer went out."""
        self._move(Event.END)
        self.status = 200

    def fail(self, status: int) -> None:
        """Nothing more comes because of an error."""
        self._move(Event.ERROR)
        self.status = status

    def leave(self) -> None:
        """The client does not wait for the rest."""
        self._move(Event.LEFT)

    def _move(self, event: Event) -> None:
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise RuntimeError(f"{event} after the answer was {self.state}") from None
