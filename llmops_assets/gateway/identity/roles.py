"""Roles and what each may do: one table."""

from collections.abc import Mapping
from typing import Literal, get_args

ANONYMOUS = "anonymous"
"""Who asks where nobody says who it is: a person without a name, an application without a key."""
Role = Literal["caller", "operator", "auditor", "privacy_officer", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
Scope = Literal["answer", "batch", "embed", "feedback", "feedback_any", "models", "preview", "replay"]
"""What a request wants: answers, files and batches of its own, vectors, to rate its own answers or those of others, the
list of models, releases that are not live, answers of another day (which no role may: only a gateway that replays
traffic)."""
MAY: Mapping[Role, frozenset[Scope]] = {
    "caller": frozenset(("answer", "batch", "embed", "feedback", "models")),
    "operator": frozenset(("answer", "batch", "embed", "feedback", "models", "preview")),
    "auditor": frozenset(("models",)),
    "privacy_officer": frozenset(("models",)),
    "admin": frozenset(("answer", "batch", "embed", "feedback", "feedback_any", "models", "preview")),
}
"""An application is a `caller`; who tries releases before customers get them an `operator`. Auditors and privacy
officers read what the installation keeps, on its machine: through the gateway they see what is served."""
