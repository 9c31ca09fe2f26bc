"""What customers get who do more than ask one plain question: follow-ups, small talk, their own case, other languages.

Usage: python benchmarks/dialogues.py [unseen|tuned|generated] [--wrong]

The dialogues of an author over the sample's knowledge base, read and decided as the gateway does, without the engine:
`right` is the article, handover or courtesy that is expected; `wrong` a confident answer that is not; `generated` what
the engine would write; the rest hands over or is polite where an article would have answered. After them the same for
the held-out questions of the sample's suite. `generated` are follow-ups out of the articles instead: after a question
of one article and its answer a held-out question of another, in which the thing that both name is "it".
`--wrong` lists what was wrong.
"""

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml

from llmops_assets.lib import evalsuite
from llmops_assets.lib.answering.acts import Acts, strangers
from llmops_assets.lib.answering.conversation import Said
from llmops_assets.lib.answering.deciding import Decision, courtesy, decide
from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.answering.knowledge import KnowledgeIndex, calibrate
from llmops_assets.lib.answering.reading import read
from llmops_assets.lib.records import Article, Dialogue, RouterPolicy
from llmops_assets.samples import generator

_NAMED = re.compile(r"\b(?:the|my|a|an|your|our) ([a-z]{4,})\b(?! [a-z]+s\b)")
"""A thing that a question names."""
FOLDER = Path(__file__).parent / "dialogues"
OUTCOMES = ("right", "wrong", "generated", "handover", "small_talk")


def main() -> None:
    """Print one table per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("author", nargs="?", choices=("unseen", "tuned", "generated"), default="unseen")
    parser.add_argument("--wrong", action="store_true", help="list what was wrong")
    arguments = parser.parse_args()
    embedder = Embedder(find_embedder_folder())
    articles, foreign = generator.load_articles(), generator.load_use_case().out_of_scope
    acts = Acts.fit(embedder, [question for article in articles for question in article.questions])
    index = KnowledgeIndex.build(articles, embedder, acts)
    strange = [*foreign.train, *strangers()]
    policy = calibrate(index, out_of_scope=list(zip(strange, embedder.embed(strange), strict=True)))
    print(f"answered from {policy.answer_above:.2f} on with a lead of {policy.margin:.2f}, handed over below "
          f"{policy.hand_over_below:.2f}\n")  # fmt: skip
    if arguments.author == "generated":
        report(follow_ups(articles), index, embedder, policy, listed=arguments.wrong)
        return
    rows = yaml.safe_load((FOLDER / f"{arguments.author}.yaml").read_text("utf-8"))
    suite = evalsuite.build_suite(articles, foreign.held_out, new_since=None)
    plain = [Dialogue(slice=item.slice, question=item.question, expect=item.article or "handover") for item in suite]
    for dialogues in ([Dialogue.model_validate(row) for row in rows], plain):
        report(dialogues, index, embedder, policy, listed=arguments.wrong)


def follow_ups(articles: Sequence[Article]) -> Iterator[Dialogue]:
    """A follow-up for every held-out question that names a thing which a question of another article is about too."""
    asked = [(question, article) for article in articles for question in article.questions]
    for article in articles:
        for question in article.held_out:
            for thing in _NAMED.finditer(question.lower()):
                before = next(((q, a) for q, a in asked if a is not article and thing[1] in q.lower().split()), None)
                if before is not None:
                    told = f"and {question.lower()[: thing.start()]}it{question.lower()[thing.end() :]}"
                    history = ((before[0], before[1].answer),)
                    yield Dialogue(slice="follow_up", history=history, question=told, expect=article.id)
                    break


def report(
    dialogues: Iterable[Dialogue], index: KnowledgeIndex, embedder: Embedder, policy: RouterPolicy, *, listed: bool
) -> None:
    """Print outcomes by slice, and how often what is handed over names the article that a colleague needs."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    reached = foreign = 0
    for dialogue in dialogues:
        found = answered(dialogue, index, embedder, policy)
        kind = outcome(dialogue, found)
        counts[dialogue.slice][kind] += 1
        if dialogue.language:
            foreign += 1
            reached += [hit.article for hit in found.cited] == [dialogue.expect]
        if listed and kind == "wrong":
            said = [hit.article for hit in found.cited] or found.path
            print(f"  {dialogue.slice}: {dialogue.question!r} got {said}, not {dialogue.expect}")
    print(f"{'slice':16}{'n':>5}" + "".join(f"{name:>12}" for name in OUTCOMES))
    total: Counter[str] = Counter()
    for name, found in sorted(counts.items()):
        total.update(found)
        print(f"{name:16}{found.total():5}" + "".join(f"{found[o]:12}" for o in OUTCOMES))
    shares = "".join(f"{total[o] / total.total():12.2f}" for o in OUTCOMES)
    print(f"{'share of all':16}{total.total():5}{shares}")
    if foreign:
        print(f"in another language: handed over in it with the right article {reached} of {foreign}")
    print()


def answered(dialogue: Dialogue, index: KnowledgeIndex, embedder: Embedder, policy: RouterPolicy) -> Decision:
    """What the last turn of a dialogue gets."""
    history = [
        said for pair in dialogue.history for said in (Said("user", pair[0]), Said("assistant", pair[1]))
    ]  # fmt: skip
    return courtesy(dialogue.question, history, "en") or decide(
        read(dialogue.question, history, index, embedder, policy, "en"), history, "en"
    )


def outcome(dialogue: Dialogue, found: Decision) -> str:
    """One of OUTCOMES."""
    expected = (dialogue.expect,) if isinstance(dialogue.expect, str) else dialogue.expect
    if expected[0] in evalsuite.SMALL_TALK:
        right = found.path == "small_talk"
    elif expected[0] == evalsuite.HANDOVER or dialogue.language:
        right = found.path == "handover"
    else:
        right = found.path == "matched" and {hit.article for hit in found.cited} == set(expected)
    if right:
        return "right"
    # Where a person or a kind word is right, whatever the engine makes up is wrong.
    made_up = found.path == "generated" and expected[0] in (evalsuite.HANDOVER, *evalsuite.SMALL_TALK)
    return "wrong" if found.path == "matched" or made_up else found.path


if __name__ == "__main__":
    main()
