"""Why a request gets no answer, each reason with its HTTP status and OpenAI's error type.

Messages go to the client as they are: they say what to do and never repeat what was asked or generated.
"""

import math


class GatewayError(Exception):
    """A request that is not answered. `status` is HTTP's, `kind` and `code` are OpenAI's, the text says what to do."""

    status = 500
    kind = "server_error"
    code = ""


class RequestError(GatewayError):
    """The request itself is at fault; `param` is the parameter that is."""

    kind = "invalid_request_error"

    def __init__(self, status: int, message: str, *, code: str = "", param: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param


class BusyError(GatewayError):
    """As many requests are being answered as the gateway takes at once."""

    status = 429
    kind = "rate_limit_error"
    code = "rate_limit_exceeded"


class RedactionError(GatewayError):
    """A text could not be cleared of personal data, so it must be used for nothing."""

    status = 503
    code = "redaction_failed"

    def __init__(self) -> None:
        # No cause is named: its message may hold the text itself.
        super().__init__("the text could not be cleared of personal data, so nothing was done with it")


class UnservableError(GatewayError):
    """Not even the release's handover may be sent."""

    status = 503
    code = "not_servable"


class EngineError(GatewayError):
    """The engine does not start or does not answer."""

    status = 502
    code = "engine_failed"


class EngineLostError(EngineError):
    """The engine ended in the middle of an answer; a fresh one may give it."""


class EngineBusyError(EngineError):
    """Nobody who could answer has time; `retry_after` seconds later somebody may."""

    status = 503
    code = "engine_busy"

    def __init__(self, retry_after: float) -> None:
        self.retry_after = max(1, math.ceil(retry_after))
        super().__init__(f"every upstream is busy or left alone: try again in {self.retry_after} s")


class StoreError(GatewayError):
    """A database is away or full: no answer leaves that could not be written down."""

    status = 503
    code = "store_unavailable"

    def __init__(self) -> None:
        # No cause is named: its message may name hosts and users.
        super().__init__("a database of the gateway does not answer, and without it no answer is given; try again")


CLIENT_LEFT = 499
"""Status of an answer whose client left before its end, as nginx writes it."""

SHORTENED = 206
"""Status in the log of an answer that ended where its caller wanted, before its own end. The client gets 200."""


def recognized(error: BaseException) -> BaseException:
    """An error of a library that says something of ours, as ours; any other as it is."""
    from sqlalchemy.exc import InterfaceError, OperationalError

    return StoreError() if isinstance(error, OperationalError | InterfaceError) else error


def explained(error: BaseException) -> tuple[int, str, str]:
    """(HTTP status, OpenAI error type, message) for a client; of errors that are none of ours no more than that."""
    error = recognized(error)
    if isinstance(error, EngineBusyError):
        return error.status, error.kind, str(error)
    if isinstance(error, EngineError):
        # Its own message may quote the server, and that the prompt.
        return error.status, error.kind, "the engine did not answer; try again"
    if isinstance(error, GatewayError):
        return error.status, error.kind, str(error)
    return 500, "server_error", "the gateway failed; its log says why"
