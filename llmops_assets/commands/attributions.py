"""What rows did to an answer, measured: the release's model is trained again without them, and both are asked.

Beside likeness, which only suggests (commands/explanations.py), this shows: docs/decisions/reproduce.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmops_assets.commands.explanations import Explainer, opened
from llmops_assets.evaluation.asking import ask
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.explaining import Section
from llmops_assets.lib.records import Build, Interaction, LakeRef, ReleaseManifest
from llmops_assets.training import rebuilding
from resources import home_folder, open_target
from resources.deployment_target import Ask, DeploymentTarget, TargetReply
from resources.models import Models
from resources.wiring import open_models
from resources.workspace import Workspace


class AttributionError(LlmopsError):
    """The effect of rows cannot be measured; the message says why."""


@dataclass(frozen=True)
class Attribution:
    """The systems that a measurement trains and asks with; nothing is kept."""

    explainer: Explainer
    models: Models
    workspace: Workspace
    target: DeploymentTarget

    def without(self, name: str, rows: Sequence[str]) -> Section:
        """An answer beside the one of the same release without some training rows, by row id or provenance."""
        answer, release, links = self.explainer.trained(name)
        if not answer.question:
            raise AttributionError(f"the question of {name} is gone from the log: it cannot be asked again")
        left_out = self._row_ids(links, rows)
        lake = self.explainer.lake
        with (
            self.workspace.scratch() as scratch,
            rebuilding.scratch_branch(lake, "attribution", "main") as branch,
        ):
            made, digest = self._made(links, left_out, scratch)
            last = links[-1][1]
            file = rebuilding.on_branch(lake, branch, made, last)
            with_them = self._asked(release.manifest, answer)
            without = self._asked(rebuilding.as_served(release.manifest, last, file, digest), answer)
        told = "the same answer" if with_them.answer == without.answer else "another answer"
        if with_them.path != "generated":
            told += f": it is {with_them.path}, which no model is asked for"
        columns = ("model", "path", "answer")
        shown = (("with them", with_them), ("without them", without))
        return Section(
            f"without {len(left_out)} training rows",
            (f"trained again without them and asked the logged words: {told}",),
            columns,
            tuple((who, reply.path, reply.answer) for who, reply in shown),
        )

    def _made(self, links: Sequence[tuple[LakeRef, Build]], left_out: Sequence[str], scratch: Path) -> tuple[Path, str]:
        """Folder and hash of the model after everything that it started from was trained without the rows, too."""
        folder, digest = None, ""
        for number, (_, build) in enumerate(links):
            model = rebuilding.base_model(self.models, build, self.workspace.settings.base_model)
            rebuilding.insist_inputs(self.explainer.lake, model, build, None)
            made = scratch / str(number)
            made.mkdir()
            fewer = build.model_copy(update={"without": tuple(left_out)})
            digest = rebuilding.make(self.explainer.lake, model, fewer, folder, made)
            folder = made
        assert folder is not None
        return folder, digest

    def _row_ids(self, links: Sequence[tuple[LakeRef, Build]], names: Sequence[str]) -> list[str]:
        known: dict[str, set[str]] = {name: set() for name in names}
        for row in self.explainer.rows_of(links):
            for name in names:
                if name in (row["row_id"], row.get("provenance")):
                    known[name].add(row["row_id"])
        if unknown := [name for name, found in known.items() if not found]:
            raise AttributionError(
                f"no training row is called {unknown[0]!r}: give a row id or provenance that it shows"
            )
        return sorted(set().union(*known.values()))

    def _asked(self, manifest: ReleaseManifest, answer: Interaction) -> TargetReply:
        with self.target.preview(manifest):
            question = Ask(
                answer.question, conversation=answer.conversation, history=self.explainer.turns_before(answer)
            )
            return ask(self.target, [question], "preview")[0]


def measure(name: str, rows: Sequence[str]) -> Section:
    """What rows did to an answer of this installation; its gateway runs afterwards as it did before."""
    workspace = Workspace(home_folder())
    with opened(workspace) as explainer:
        models = open_models(workspace)
        target = open_target(workspace, lake=explainer.lake, models=models)
        ran = target.is_running()
        try:
            return Attribution(explainer, models, workspace, target).without(name, rows)
        finally:
            if not ran:
                target.stop()
