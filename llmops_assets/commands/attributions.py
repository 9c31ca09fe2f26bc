"""What rows and words did to an answer, measured: the release's model is trained again without the rows, and both are
asked; words are left out of the prompt, and the answer's likelihood is computed again.

Beside likeness, which only suggests (commands/explanations.py), this shows: docs/decisions/reproduce.md.
"""

import contextlib
import re
from collections.abc import Generator, Sequence
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

    def of_words(self, name: str) -> Section:
        """By how much each word of the question and each sentence of the articles made an answer likelier."""
        answer, release, links = self.explainer.trained(name)
        title = "what the answer rests on"
        if answer.path != "generated":
            return Section(title, (f"it is {answer.path}: no model wrote it",))
        if not answer.question or not answer.answer:
            raise AttributionError(f"the words of {name} are gone from the log: they cannot be left out one by one")
        folder, build = links[-1]
        if build.kind != "adapter":
            raise AttributionError(f"a student of the base model wrote {name}: only adapters are read here")
        from llmops_assets.lib.answering.prompting import build_messages, render_chat
        from llmops_assets.lib.training import loop, occlusion
        from llmops_assets.lib.training import rows as row_tools

        texts, history = self.explainer.prompt_of(answer, release)
        words = answer.question.split()
        sentences = [(number, told) for number, text in enumerate(texts) for told in pieces(text)]

        def prompt(parts: Sequence[str]) -> str:
            asked = " ".join(word for word in parts[: len(words)] if word)
            told = [
                " ".join(p for (at, _), p in zip(sentences, parts[len(words) :], strict=True) if at == number and p)
                for number in range(len(texts))
            ]
            template = release.manifest.prompt.template
            return render_chat(build_messages(template, asked, [text for text in told if text], history))

        base = rebuilding.base_model(self.models, build, self.workspace.settings.base_model)
        tokenizer, parts = row_tools.load_tokenizer(base.folder), [*words, *(told for _, told in sentences)]
        with self.workspace.scratch() as scratch:
            weights = rebuilding.fetched(self.explainer.lake, folder, scratch / "weights")
            model = loop.with_lora(loop.load_model(base.folder), build.recipe, weights)
            try:
                effects = occlusion.effects(model, tokenizer, parts, prompt, answer.answer)
            except ValueError as error:
                raise AttributionError(f"{name}: {error}") from error
        kinds = ["question"] * len(words) + [f"article {number + 1}" for number, _ in sentences]
        ranked = sorted(zip(effects, kinds, parts, strict=True), key=lambda row: -row[0])
        return Section(
            title,
            ("each part left out of the prompt alone: by how many nats the answer becomes less likely",),
            ("nats", "of", "left out"),
            tuple((f"{effect:+.2f}", kind, part) for effect, kind, part in ranked),
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


def pieces(text: str) -> list[str]:
    """The sentences of an article."""
    return [told for told in re.split(r"(?<=[.!?])\s+", text.strip()) if told]


def measure(name: str, rows: Sequence[str]) -> Section:
    """What rows did to an answer of this installation; its gateway runs afterwards as it did before."""
    with _work() as work:
        ran = work.target.is_running()
        try:
            return work.without(name, rows)
        finally:
            if not ran:
                work.target.stop()


def measure_words(name: str) -> Section:
    """What the words of its prompt did to an answer of this installation."""
    with _work() as work:
        return work.of_words(name)


@contextlib.contextmanager
def _work() -> Generator[Attribution]:
    workspace = Workspace(home_folder())
    with opened(workspace) as explainer:
        models = open_models(workspace)
        yield Attribution(explainer, models, workspace, open_target(workspace, lake=explainer.lake, models=models))
