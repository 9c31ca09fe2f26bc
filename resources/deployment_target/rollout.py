"""The stages of a release on a target, as one table of moves: preview → shadow → canary → live → rolled back.

Every change of what is served is one of these moves, whatever the target (the form is that of h11's states). A move is
a pure function of the state before; what it refuses it says in a sentence.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from llmops_assets.gateway.state import ServingState

Stage = Literal["shadow", "canary", "live"]
"""Where a rollout can put a release. Shadow: asked by name and behind live answers, no customer sees it."""
Move = Literal["preview", "end_preview", "shadow", "end_shadow", "canary", "live", "abort", "roll_back"]


class MoveRefusedError(ValueError):
    """The move is not possible from here; the message says why."""


@dataclass(frozen=True)
class Wanted:
    """What a move is about: the release, and for a canary or a shadow its share of conversations."""

    release_id: str = ""
    share: float = 0.0


def _preview(_: ServingState, wanted: Wanted) -> dict[str, Any]:
    return {"preview": wanted.release_id}


def _end_preview(_: ServingState, __: Wanted) -> dict[str, Any]:
    return {"preview": None}


def _shadow(_: ServingState, wanted: Wanted) -> dict[str, Any]:
    if not 0 <= wanted.share <= 1:
        raise MoveRefusedError(f"a shadow is asked at least 0 and at most 1 of conversations, not {wanted.share}")
    return {"shadow": wanted.release_id, "shadow_share": wanted.share}


def _canary(state: ServingState, wanted: Wanted) -> dict[str, Any]:
    if not 0 < wanted.share <= 1:
        raise MoveRefusedError(f"a canary answers more than 0 and at most 1 of conversations, not {wanted.share}")
    leaves = {"shadow": None, "shadow_share": 0.0} if state.shadow == wanted.release_id else {}
    return {"canary": wanted.release_id, "canary_share": wanted.share, **leaves}


def _live(state: ServingState, wanted: Wanted) -> dict[str, Any]:
    previous = state.previous if state.live == wanted.release_id else state.live
    return {"live": wanted.release_id, "previous": previous, **_abort(state, wanted)}


def _abort(_: ServingState, __: Wanted) -> dict[str, Any]:
    return {"canary": None, "canary_share": 0.0, **_end_shadow(_, __)}


def _end_shadow(_: ServingState, __: Wanted) -> dict[str, Any]:
    return {"shadow": None, "shadow_share": 0.0}


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
    "end_shadow": _end_shadow,
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
