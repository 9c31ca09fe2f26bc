"""Releases on a real vLLM beside the same releases on llama.cpp: same answers, and what a rollout and a kill cost.

Usage: python benchmarks/vllm.py --vllm <environment>/bin/vllm [--questions 100] [--tokens 6000] [--home FOLDER]. `make
vllm` makes such an environment with a build for CPUs. Two adapters are trained on the sample's articles (kept in
--home) and enter two releases in which the model answers everything. Both engines answer the same held-out questions,
greedily, through the whole gateway: how many answers are equal, and how many right, with Wilson's interval, and the
paired interval of the difference. Then, on vLLM and while customers keep asking: a canary, its promotion, a rollback,
all of vLLM's processes killed.
"""

import argparse
import contextlib
import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import sealing

from llmops_assets.commands.demo import on_cpu
from llmops_assets.gateway.vllm.settings import VLLMSettings
from llmops_assets.lib import ports
from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.judging.grading import grade
from llmops_assets.lib.records import (
    EvalItem,
    FileRef,
    GenerationSettings,
    PromptRef,
    Recipe,
    ReleaseManifest,
    RouterPolicy,
)
from llmops_assets.lib.statistics import paired_interval, wilson
from llmops_assets.lib.training import loop
from llmops_assets.lib.training import rows as row_tools
from llmops_assets.lib.training.gguf_weights import adapter_to_gguf
from llmops_assets.samples import generator
from resources.deployment_target import Ask, LocalTarget, TargetReply
from resources.lake.embedded import EmbeddedLake
from resources.models import Models, ResolvedModel

LEARNED_PASSAGES = 2
"""In a row of training; one is asked with, so that a prompt is short."""
EVERYTHING = RouterPolicy(answer_above=2.0, hand_over_below=0.0, passages=1)


def items(count: int) -> list[EvalItem]:
    """Held-out questions of the sample's articles, the articles in turn."""
    articles = generator.load_articles()
    most = max(len(article.held_out) for article in articles)
    asked = [(a, n) for n in range(most) for a in articles if n < len(a.held_out)]
    return [
        EvalItem(
            id=f"{article.id}-{number}",
            slice="faq",
            question=article.held_out[number],
            article=article.id,
            intent=article.intent,
            reference=article.answer,
            facts=article.facts,
        )
        for article, number in asked[:count]
    ]


def adapter(
    model: ResolvedModel, folder: Path, index: KnowledgeIndex, embedder: Embedder, seed: int, tokens: int
) -> Path:
    """The GGUF file of an adapter that learned the known questions with what retrieval finds for them."""
    file = folder / f"adapter-{seed}-{tokens}" / "adapter.gguf"
    if file.exists():
        return file
    rows = []
    for article in generator.load_articles():
        vectors = embedder.embed(list(article.questions))
        for question, vector in zip(article.questions, vectors, strict=True):
            passages = [hit.answer for hit in index.search_as_new(question, vector, LEARNED_PASSAGES)]
            rows.append({"question": question, "passages": passages, "answer": article.answer})
    prompt = generator.load_use_case().system_prompt
    examples, _ = row_tools.encode_rows(row_tools.load_tokenizer(model.folder), prompt, rows, 384)
    epochs = tokens / sum(len(example.ids) for example in examples)
    file.parent.mkdir(parents=True)
    recipe = Recipe(epochs=epochs, seed=seed, learning_rate=1.2e-3, batch_tokens=512)
    result = loop.train_lora(model.folder, recipe, examples, [], file.parent, base_name=model.source)
    print(
        f"adapter {seed}: {tokens:,} tokens, loss {result.losses[0]:.2f} -> {result.metrics['loss_last']:.2f}",
        flush=True,
    )
    adapter_to_gguf(file.parent, model.folder / "config.json", file)
    return file


class Load:
    """Customers who keep asking, one after the other on each of two connections, until the block ends."""

    def __init__(self, target: LocalTarget, questions: Sequence[str]) -> None:
        self._target, self._questions = target, questions
        self.replies: list[TargetReply] = []

    @contextlib.contextmanager
    def running(self) -> Iterator["Load"]:
        done = threading.Event()

        def ask(start: int) -> None:
            place = start
            while not done.is_set():
                question = self._questions[place % len(self._questions)]
                self.replies += self._target.ask_many([Ask(question, conversation=f"load-{place}")])
                place += 2

        threads = [threading.Thread(target=ask, args=(start,)) for start in (0, 1)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def wait_for(self, enough: Callable[[list[TargetReply]], bool]) -> None:
        """Until what was answered since now is enough."""
        start = len(self.replies)
        while not enough(self.replies[start:]):
            time.sleep(0.2)


def engines() -> list[psutil.Process]:
    """vLLM's processes under the gateways of this process."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "VLLM::" in line or "/vllm serve " in line:
            found.append(process)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vllm", type=Path, required=True, help="the program vllm")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=6_000, help="that each adapter is trained on")
    parser.add_argument("--penalty", type=float, default=GenerationSettings().repetition_penalty)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of an engine")
    parser.add_argument("--home", type=Path, help="kept between runs; none: a temporary folder")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        home = arguments.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home.mkdir(parents=True, exist_ok=True)
        lake, models = EmbeddedLake(home / "lake"), Models(home / "models")
        model, embedder = models.resolve(), Embedder(find_embedder_folder())
        index = KnowledgeIndex.build(generator.load_articles(), embedder)
        (home / "index.zip").write_bytes(index.to_bytes())
        # The second one must answer, and need not be good.
        tokens = (arguments.tokens, arguments.tokens // 10)
        adapters = [adapter(model, home, index, embedder, seed, many) for seed, many in enumerate(tokens, start=1)]

        def stored(file: Path) -> FileRef:
            path = f"{file.parent.name}/{file.name}"
            with lake.transaction("put", {}, name="put") as transaction:
                transaction.put(path, file.read_bytes())
            commit = transaction.merged or lake.resolve("main")
            return FileRef(ref=lake.uri(commit, path), sha256=hash_file(file), size=file.stat().st_size)

        def manifest(file: Path) -> ReleaseManifest:
            prompt = generator.load_use_case().system_prompt
            return ReleaseManifest(
                base=model.ref,
                adapter=stored(file),
                adapter_digest=hash_file(file.with_name("adapter_model.safetensors")),
                prompt=PromptRef(name="p", version=1, template=prompt, digest="p"),
                knowledge_index=stored(home / "index.zip"),
                router=EVERYTHING,
                generation=GenerationSettings(repetition_penalty=arguments.penalty),
                handover="A colleague will help.",
                language="en",
            )

        first, second = (manifest(file) for file in adapters)
        for one in (first, second):
            with lake.transaction("release", {}, name="release") as transaction:
                for file, data in sealing.seal(one).items():
                    transaction.put(f"releases/{one.release_id}/{file}", data)

        def target(name: str, vllm: VLLMSettings | None) -> LocalTarget:
            made = LocalTarget(
                home / name,
                lake=lake,
                models=models,
                log_url=f"sqlite:///{home / name}.db",
                subject_key=home / "subject.key",
                trusted=sealing.trusted(home),
                port=ports.find_free(),
                vllm=vllm,
                options=["--threads", str(arguments.threads)],
            )
            stack.callback(made.stop)
            return made

        asked = items(arguments.questions)
        questions = [Ask(item.question, conversation=item.id) for item in asked]
        on_llama = target("llama", None)
        on_vllm = target("vllm", on_cpu(arguments.vllm))
        answers: dict[str, list[TargetReply]] = {}
        with ThreadPoolExecutor() as pool:
            # vLLM's start takes a while, in which the other one can answer.
            started = pool.submit(on_vllm.apply, first, "live")
            on_llama.apply(first, "live")
            answers["llama.cpp"] = on_llama.ask_many(questions)
            tell("llama.cpp", asked, answers["llama.cpp"])
            started.result()
        answers["vLLM"] = on_vllm.ask_many(questions)
        tell("vLLM", asked, answers["vLLM"])
        compare(asked, answers)
        on_llama.stop()
        rollout(on_vllm, first, second, [item.question for item in asked], answers["vLLM"][0])


def right(asked: Sequence[EvalItem], replies: Sequence[TargetReply]) -> list[bool]:
    return [
        reply.status == 200 and grade(item, reply.answer, reply.path, None)
        for item, reply in zip(asked, replies, strict=True)
    ]


def tell(name: str, asked: Sequence[EvalItem], replies: Sequence[TargetReply]) -> None:
    graded = right(asked, replies)
    low, high = wilson(sum(graded), len(graded))
    paths = ", ".join(f"{count} {path or 'failed'}" for path, count in Counter(r.path for r in replies).items())
    print(
        f"{name:10} {len(replies)} questions ({paths}); "
        f"{sum(graded)} of {len(graded)} right, {sum(graded) / len(graded):.2f} [{low:.2f}, {high:.2f}]",
        flush=True,
    )


def compare(asked: Sequence[EvalItem], answers: dict[str, list[TargetReply]]) -> None:
    ours, theirs = answers["llama.cpp"], answers["vLLM"]
    equal = sum(a.answer == b.answer for a, b in zip(ours, theirs, strict=True))
    before, after = right(asked, ours), right(asked, theirs)
    won = sum(b and not a for a, b in zip(before, after, strict=True))
    lost = sum(a and not b for a, b in zip(before, after, strict=True))
    low, high = paired_interval(won, lost, len(asked))
    print(
        f"{equal} of {len(asked)} answers are equal letter by letter; right on vLLM only {won}, on llama.cpp only "
        f"{lost}: difference {(won - lost) / len(asked):+.2f} [{low:+.2f}, {high:+.2f}]",
        flush=True,
    )


def rollout(
    target: LocalTarget, first: ReleaseManifest, second: ReleaseManifest, questions: Sequence[str], said: TargetReply
) -> None:
    a, b = first.release_id, second.release_id
    with Load(target, questions).running() as load:
        target.apply(second, "canary", share=0.5)
        load.wait_for(lambda replies: {a, b} <= {reply.release_id for reply in replies})
        print(f"canary: both {a} and {b} answer", flush=True)
        target.apply(second, "live")
        load.wait_for(lambda replies: [reply.release_id for reply in replies[-4:]] == 4 * [b])
        print(f"promoted: {b} answers", flush=True)
        target.rollback()
        load.wait_for(lambda replies: [reply.release_id for reply in replies[-4:]] == 4 * [a])
        print(f"rolled back: {a} answers", flush=True)
        tell_load("during canary, promotion and rollback", load.replies)
        swapped = len(load.replies)
        killed = engines()
        for process in killed:
            with contextlib.suppress(psutil.NoSuchProcess):
                os.kill(process.pid, signal.SIGKILL)
        began = time.monotonic()
        load.wait_for(lambda replies: any(reply.status == 200 for reply in replies[2:]))
        print(
            f"{len(killed)} processes of vLLM killed: answers again after {time.monotonic() - began:.0f} s", flush=True
        )
    tell_load("during the kill", load.replies[swapped:])
    (again,) = target.ask_many([Ask(questions[0], conversation="again")])
    same = again.release_id == a and again.answer == said.answer
    print(f"after it {a} gives {'the same answer as before' if same else 'ANOTHER answer than before'}", flush=True)


def tell_load(when: str, replies: Sequence[TargetReply]) -> None:
    failed = Counter(f"{reply.status} {reply.error[:60]}" for reply in replies if reply.status != 200)
    slowest = max(reply.latency_seconds for reply in replies)
    print(
        f"{when}: {len(replies)} requests, {failed.total()} failed {dict(failed) or ''} slowest {slowest:.1f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
