"""The whole eval suite and all safety probes asked of the real model: seconds, CPU seconds, and which path answered.

Usage: python benchmarks/suite.py [--concurrency N]

The release is made of the sample's articles, all of them, and the base model untuned: it writes longer than a tuned
one, so the figures are upper bounds. It is previewed by a gateway's process as `quality_report` and `safety_report` do
it, and asked as they ask. Preparing the release is not counted, loading it is.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil
from sealing import trusted

from llmops_assets.lib import evalsuite
from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.answering.knowledge import KnowledgeIndex, calibrate
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.judging import manifest as manifests
from llmops_assets.lib.judging import safety
from llmops_assets.lib.records import (
    CanaryPlan,
    DatasetRef,
    FileRef,
    KnowledgeIndexRef,
    PromptRef,
    ReleaseManifest,
)
from llmops_assets.samples import generator
from resources.deployment_target import Ask, LocalTarget
from resources.lake.embedded import EmbeddedLake
from resources.models import Models
from resources.use_case import UseCaseFiles
from resources.workspace import Settings

CANARIES = 20
"""As `training_dataset` plants them."""


def release(lake: EmbeddedLake, models: Models) -> ReleaseManifest:
    """The sample's articles, indexed and calibrated as `knowledge_index` does it, before the base model."""
    case, embedder, articles = generator.load_use_case(), Embedder(find_embedder_folder()), generator.load_articles()
    index = KnowledgeIndex.fitted(articles, embedder)
    foreign = case.out_of_scope.train
    router = calibrate(index, out_of_scope=list(zip(foreign, embedder.embed(foreign), strict=True)))
    data = index.to_bytes()
    with lake.transaction("index", {}, name="index") as transaction:
        transaction.put("index.zip", data)
    place = lake.uri(transaction.merged or "", "index.zip")
    file = FileRef(ref=place, sha256=hash_bytes(data), size=len(data))
    known = DatasetRef(name="articles", ref=place, digest=file.sha256, rows=len(articles))
    return manifests.assemble(
        case,
        models.resolve().ref,
        None,
        PromptRef(name="p", version=1, template=case.system_prompt, digest="p"),
        KnowledgeIndexRef(file=file, router=router, knowledge=known, questions=len(index.entries)),
        None,
        manifests.generation_settings(articles),
    )


def main() -> None:
    """Print one line a part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concurrency", type=int, default=4, help="asked at a time; the reports ask four")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lake, models = EmbeddedLake(root / "lake"), Models(root / "models")
        target = LocalTarget(
            root / "gateway",
            lake=lake,
            models=models,
            trusted=trusted(root),
            log_url=f"sqlite:///{root / 'log.db'}",
            subject_key=root / "subject.key",
            port=8796,
        )
        made, files, case = release(lake, models), UseCaseFiles(Settings()), generator.load_use_case()
        asked = evalsuite.build_suite(
            generator.load_articles(),
            case.out_of_scope.held_out,
            new_since=None,
            dialogues=files.dialogues(),
            slices=files.slices(),
        )
        parts = [
            ("eval suite", made, [Ask(item.question, conversation=item.id, history=item.history) for item in asked]),
            ("safety probes", made, probing(safety.probes(made.prompt.template))),
            ("of the model alone", manifests.alone(made), probing(safety.alone(CanaryPlan(count=CANARIES)))),
        ]
        try:
            target.start()
            took = [measure(target, *part, arguments.concurrency) for part in parts]
        finally:
            target.stop()
    print(f"together: {sum(took):.0f} s")


def probing(probes: Sequence[safety.Probe]) -> list[Ask]:
    """Probes as `safety_report` puts them."""
    return [Ask(probe.question, conversation=probe.id) for probe in probes]


def measure(target: LocalTarget, title: str, manifest: ReleaseManifest, asks: Sequence[Ask], concurrency: int) -> float:
    """Seconds until a release was loaded and had answered, printed with what took them. SystemExit where it did not."""
    gateway = psutil.Process(json.loads((target.root / "gateway.json").read_text())["pid"])
    began, before = time.monotonic(), cpu(gateway)
    with target.preview(manifest):
        replies = target.ask_many(asks, "preview", concurrency=concurrency)
        used = cpu(gateway) - before
    seconds = time.monotonic() - began
    if failed := [reply for reply in replies if reply.status != 200]:
        raise SystemExit(f"{title}: {len(failed)} of {len(asks)} were not answered: {failed[0].error}")
    paths = Counter(reply.path for reply in replies)
    told = ", ".join(f"{count} {path}" for path, count in paths.most_common())
    print(f"{title}: {len(asks)} asked in {seconds:.0f} s, {used:.0f} CPU s ({told})", flush=True)
    return seconds


def cpu(process: psutil.Process) -> float:
    """CPU seconds of a process and its children."""
    # Of the process also that of engines that ended: they were waited for.
    return sum(process.cpu_times()[:4]) + sum(sum(one.cpu_times()[:2]) for one in process.children(recursive=True))


if __name__ == "__main__":
    main()
