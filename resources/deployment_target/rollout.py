"""The stages of a release on a target, as one table of moves: preview → shadow → canary → live → rolled back.

Every change of what is served is one of these moves, whatever the target (the form is that of h11's states). A move is
a pure function of the state before; what it refuses it says in a sentence.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from llmops_assets.gateway.state import ServingState

Stage = Literal["shadow", "canary", "live"]
"""Where a rollout can put a release. Shadow: loaded and asked by name, no customer sees it."""
Move = Literal["preview", "end_preview", "shadow", "canary", "live", "abort", "roll_back"]


class MoveRefusedError(ValueError):
    """The move is not possible from here; the message says why."""


@dataclass(frozen=True)
class Wanted:
    """What a move is about: the release, and for a canary its share of conversations."""

    release_id: str = ""
    share: float = 0.0


def _preview(_: ServingState, wanted: Wanted) -> dict[str, Any]:
    return {"preview": wanted.release_id}


def _end_preview(_: ServingState, __: Wanted) -> dict[str, Any]:
    return {"preview": None}


def _shadow(_: ServingState, wanted: Wanted) -> dict[str, Any]:
    return {"shadow": wanted.release_id}


def _canary(state: ServingState, wanted: Wanted) -> dict[str, Any]:
    if not 0 < wanted.share <= 1:
        raise MoveRefusedError(f"a canary answers more than 0 and at most 1 of conversations, not {wanted.share}")
    shadow = None if state.shadow == wanted.release_id else state.shadow
    return {"canary": wanted.release_id, "canary_share": wanted.share, "shadow": shadow}


def _live(state: ServingState, wanted: Wanted) -> dict[str, Any]:
    previous = state.previous if state.live == wanted.release_id else state.live
    return {"live": wanted.release_id, "previous": previous, **_abort(state, wanted)}


def _abort(_: ServingState, __: Wanted) -> dict[str, Any]:
    return {"canary": None, "canary_share": 0.0, "shadow": None}


def _roll_back(state: ServingState, wanted: Wanted) -> dict[str, Any]:
    to = wanted.release_id or state.previous
    if to is None:
        raise MoveRefusedError("there is no previous release to roll back to")
    if to == state.live:
        return {}
    return {"live": to, "previous": state.live, **_abort(state, wanted)}


MOVES: Mapping[Move, Callable[[ServingState, Wanted], dict[str, Any]]] = {
    "preview": _preview,
    "end_preview": _end_preview,
    "shadow": _shadow,
    "canary": _canary,
    "live": _live,
    "abort": _abort,
    "roll_back": _roll_back,
}
"""Move to what it changes of the state."""


def moved(state: ServingState, move: Move, wanted: Wanted) -> ServingState:
    """The state after a move; its generation is the next one where anything changed. MoveRefusedError."""
    changed = state.model_copy(update=MOVES[move](state, wanted))
    return state if changed == state else changed.model_copy(update={"generation": state.generation + 1})
