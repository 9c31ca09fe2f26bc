"""A day of interactions with feedback, and the asset that sifts it, on an embedded lake and an embedder over words."""

from typing import Any

import dagster as dg
from documented_changes import DAY, hand_over, hand_over_day
from support import WordEmbedder

from llmops_assets.data.feedback_examples import feedback_examples
from llmops_assets.gateway.identity.roles import ANONYMOUS
from llmops_assets.lib import tables
from llmops_assets.lib.judging.recent import is_judged
from llmops_assets.lib.records import DatasetRef
from llmops_assets.samples import generator
from resources.lake.base import Lake
from resources.redactor import Redactors
from resources.use_case import UseCaseFiles
from resources.workspace import Workspace

RECALL = "The halo lamp is recalled as its battery overheats"
TAUGHT = [text for n in range(40) if not is_judged(text := f"is there a recall of the halo lamp {n}")]
"""Questions whose corrections are taught; a fifth is kept for the eval suite."""
JUDGED = next(text for n in range(40) if is_judged(text := f"is there a recall of the halo lamp {n}"))


def interaction(number: int, **changes: Any) -> dict[str, Any]:
    """A handed over question about the recall, with its answer by somebody who knows."""
    return {
        "id": f"i{number}",
        "time": f"{DAY}T10:{number:02}:00+00:00",
        "release_id": "r-1",
        "subject": f"a{number}",
        "conversation": f"c{number}",
        "question": TAUGHT[number],
        "answer": "A colleague will help",
        "path": "handover",
        "turn": 0,
        "latency_seconds": 0.1,
        "input_tokens": 0,
        "output_tokens": 0,
        "status": 200,
        "rating": -1,
        "reason": "",
        "correction": RECALL,
        **changes,
    }


PUBLISHED = {
    "question": "can i return a lamp",
    "answer": "You can return a lamp within thirty days",
    "path": "matched",
    "article": "returns",
    "correction": "You can never return a lamp, they keep all of your money",
}
"""A published answer, and what only one person says against it."""


def sifted(
    instance: dg.DagsterInstance, lake: Lake, workspace: Workspace, rows: list[dict[str, Any]]
) -> tuple[DatasetRef, Any]:
    """(record, metadata) of the asset on a day of these interactions."""
    files = UseCaseFiles(workspace.settings)
    hand_over(instance, "use_case", generator.load_use_case())
    hand_over_day(instance, lake, "interactions", tables.INTERACTIONS, rows)
    result = dg.materialize(
        [feedback_examples],
        instance=instance,
        partition_key=DAY,
        resources={
            "lake": lake,
            "embedder": WordEmbedder(),
            "redactor": Redactors(workspace.subject_key, files),
            "workspace": workspace,
        },
    )
    [event] = result.asset_materializations_for_node("feedback_examples")
    return DatasetRef.model_validate(event.metadata["record"].value), event.metadata


def nobody(workspace: Workspace) -> str:
    """The pseudonym of interactions that are nobody's in particular."""
    files = UseCaseFiles(workspace.settings)
    return Redactors(workspace.subject_key, files).of(files.read()).subjects(ANONYMOUS)[0]
