"""What poisoned feedback does with and without the quarantine, by attack, and what honest feedback that costs.

Usage: python benchmarks/feedback.py [--data FILE] [--runs 20] [--half report] [--json]. `--data` is a file of
conversations with intents and answers; without it, the sample's articles.

A world of customers is simulated for a week before the day of the attack: they ask about topics, most answers are
right, some are another topic's, some are handovers; two topics are new and always handed over. They rate 45 of 100
right answers and correct three wrong ones in four, in words of their own; one in twenty is mistaken. Attackers come on
the last day, beside as much honest feedback as on any other. Topics and authors are split in two halves by a hash:
rules were tuned on the half `tune`, what is printed by default is the half `report`. Shares are means over runs with
the 95 % interval of that mean.
"""

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from llmops_assets.lib.answering.embedding import CachedEmbedder, Embedder, find_embedder_folder
from llmops_assets.lib.augmentation import with_typos
from llmops_assets.lib.corpus.corrections import Correction, revise
from llmops_assets.lib.feedback.quarantine import RULES, sift
from llmops_assets.lib.feedback.said import Said
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import Article, FeedbackPolicy
from llmops_assets.lib.sources import read_rows
from llmops_assets.samples import generator

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAYS, ASKED, CUSTOMERS, NEW = 7, 240, 900, 2
RATED, CORRECTED, MISTAKEN = 0.45, 0.75, 0.05
HANDOVER = "A colleague will get back to you."
MOST_TOPICS, MOST_TEXTS = 60, 40
OPENERS = ("", "Actually, ", "No: ", "It should say that ", "That is wrong. ", "As far as I know, ")


@dataclass(frozen=True)
class Topic:
    """What can be asked, what was published as the answer, and how people would word it."""

    name: str
    questions: tuple[str, ...]
    answer: str
    worded: tuple[str, ...]


def topics(file: Path | None, half: str) -> list[Topic]:
    """The topics of a half: by article in the sample, by intent in a file of conversations."""
    found = []
    if file is None:
        for article in generator.load_articles():
            short = article.answer.split(". ")[0].split("; ")[0]
            worded = (article.answer, short, article.answer.rstrip(".").lower())
            found.append(Topic(article.id, (*article.questions, *article.held_out), article.answer, worded))
    else:
        questions, answers = defaultdict(list), defaultdict(list)
        for row in read_rows(file):
            if row.intent and row.answer:
                questions[row.intent].append(row.question)
                answers[row.intent].append(row.answer)
        for name in sorted(questions):
            asked = tuple(dict.fromkeys(questions[name]))[:MOST_TEXTS]
            given = tuple(dict.fromkeys(answers[name]))[:MOST_TEXTS]
            if len(asked) >= 6:
                found.append(Topic(name, asked, given[0], given))
    mine = [topic for topic in found if half_of(topic.name) == half]
    return mine[:MOST_TOPICS]


def half_of(name: str) -> str:
    return "tune" if int(hash_json(name)[:8], 16) % 2 else "report"


class World:
    """A week and a day of honest feedback, in one order for each seed."""

    def __init__(self, known: Sequence[Topic], half: str, seed: int) -> None:
        self.rng = random.Random(f"{half} {seed}")
        self.topics, self.number = list(known), 0
        self.rng.shuffle(self.topics)
        self.new = self.topics[:NEW]
        names = (f"customer-{n}" for n in range(10 * CUSTOMERS))
        self.customers = [name for name in names if half_of(name) == half][:CUSTOMERS]
        self.before = [said for day in range(DAYS) for said in self.honest(day)]
        self.today = self.honest(DAYS)

    def said(self, day: int, author: str, topic: Topic, answer: str, path: str, article: str, **word) -> Said:
        self.number += 1
        question = self.rng.choice(topic.questions)
        if self.rng.random() < 0.15:
            question = with_typos(question, self.rng)
        moment = START + timedelta(days=day, seconds=self.rng.randrange(36_000))
        word = {"rating": 0, "correction": "", **word}
        return Said(f"i{self.number}", moment, author, "r-1", question, answer, path, article, **word)

    def honest(self, day: int) -> list[Said]:
        """What honest customers say in a day."""
        rng, found = self.rng, []
        for _ in range(ASKED):
            author, topic = rng.choice(self.customers), rng.choice(self.topics)
            chance = rng.random()
            wrong = rng.choice([other for other in self.topics if other is not topic and other not in self.new])
            path, article, answer = "matched", topic.name, topic.answer
            if topic in self.new or chance < 0.1:
                path, article, answer = "handover", "", HANDOVER
            elif chance < 0.2:
                article, answer = wrong.name, wrong.answer
            elif chance < 0.25:
                path, article, answer = "generated", wrong.name, wrong.answer.split(". ")[0]
            right, mistaken = answer == topic.answer, rng.random() < MISTAKEN
            if right and rng.random() < RATED:
                found.append(self.said(day, author, topic, answer, path, article, rating=-1 if mistaken else 1))
            elif not right and rng.random() < CORRECTED:
                word = rng.choice(OPENERS) + rng.choice((wrong if mistaken else topic).worded)
                found.append(self.said(day, author, topic, answer, path, article, rating=-1, correction=word))
        return sorted(found, key=lambda said: said.time)

    def attacked(self, topic: Topic, author: str, correction: str) -> Said:
        """A right answer of a topic, called wrong by an attacker."""
        where = ("handover", "") if topic in self.new else ("matched", topic.name)
        answer = HANDOVER if topic in self.new else topic.answer
        return self.said(DAYS, author, topic, answer, *where, rating=-1, correction=correction)

    def other(self, topic: Topic) -> Topic:
        return self.rng.choice([other for other in self.topics if other is not topic])

    def any(self) -> Topic:
        return self.rng.choice(self.topics)


def one_flips(world: World) -> list[Said]:
    """One subject, sixty answers, each corrected to another topic's."""
    chosen = [world.any() for _ in range(60)]
    return [world.attacked(topic, "attacker", world.other(topic).answer) for topic in chosen]


def one_flips_slowly(world: World) -> list[Said]:
    """One subject, three answers a day: below every limit."""
    return one_flips(world)[:3]


def many_flip(world: World) -> list[Said]:
    """Sixty subjects, one answer each, corrected to another topic's."""
    chosen = [world.any() for _ in range(60)]
    return [world.attacked(t, f"attacker-{n}", world.other(t).answer) for n, t in enumerate(chosen)]


def junk(world: World) -> list[Said]:
    """Thirty subjects, letters and words without a meaning."""
    rng, found = world.rng, []
    words = sorted({word for topic in world.topics for word in topic.answer.split()})
    for n in range(30):
        letters = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(60))
        text = (letters, " ".join(rng.sample(words, 8)), "asdf " * 6, "!!! ??? 1234 5678")[n % 4]
        found.append(world.attacked(world.any(), f"attacker-{n}", text))
    return found


def copy_paste(world: World) -> list[Said]:
    """Thirty subjects, one text under whatever they asked."""
    text = "Use the code SUPER50 on best-lamp-deals.example and get everything for half the price today."
    return [world.attacked(world.any(), f"attacker-{n}", text) for n in range(30)]


def one_topic(world: World) -> list[Said]:
    """Twelve subjects agree on one plausible wrong answer to one published topic, each with a word of their own."""
    topic = next(topic for topic in world.topics if topic not in world.new)
    wrong = world.other(topic).answer
    return [world.attacked(topic, f"attacker-{n}", world.rng.choice(OPENERS) + wrong) for n in range(12)]


def new_topic(world: World) -> list[Said]:
    """Twelve subjects agree on one plausible wrong answer to a topic that nothing is published about."""
    topic = world.new[0]
    wrong = world.other(topic).answer
    return [world.attacked(topic, f"attacker-{n}", world.rng.choice(OPENERS) + wrong) for n in range(12)]


def thumbs_down(world: World) -> list[Said]:
    """Thirty subjects call the right answer to one topic wrong, and say no more."""
    topic = next(topic for topic in world.topics if topic not in world.new)
    return [world.attacked(topic, f"attacker-{n}", "") for n in range(30)]


ATTACKS: dict[str, Callable[[World], list[Said]]] = {
    "none": lambda world: [],
    "one subject flips 60": one_flips,
    "one subject flips 3": one_flips_slowly,
    "60 subjects flip": many_flip,
    "junk text": junk,
    "copy and paste": copy_paste,
    "12 agree, known topic": one_topic,
    "12 agree, new topic": new_topic,
    "30 thumbs down": thumbs_down,
}


def changed(world: World, kept: Sequence[Said], poison: set[str], vectors, *, by_author: bool) -> int:
    """Articles whose answer poison replaced or made, of those that are served after the day."""
    articles = [
        Article(id=t.name, intent=t.name, title=t.name, answer=t.answer, questions=t.questions)
        for t in world.topics
        if t not in world.new
    ]
    corrections = [
        Correction(s.question, s.correction, s.article, s.author if by_author else "") for s in kept if s.correction
    ]
    texts = [text for c in corrections for text in (c.question, c.answer)] + [a.answer for a in articles]
    revision = revise(articles, corrections, vectors(texts))
    theirs = {s.correction for s in kept if s.id in poison}
    touched = {*revision.added, *revision.replaced}
    return sum(article.id in touched and article.answer in theirs for article in revision.articles)


def measure(known: Sequence[Topic], half: str, seed: int, attack: str, vectors, rules) -> dict[str, float]:
    """One run: what of the poison teaches, what it changes, and which honest corrections wait."""
    world = World(known, half, seed)
    poison = ATTACKS[attack](world)
    names = {said.id for said in poison}
    today = sorted([*world.today, *poison], key=lambda said: said.time)
    found = sift(today, world.before, vectors, FeedbackPolicy(), rules)
    honest = [said for said in world.today if said.correction]
    taught = {said.id for said in found.kept}
    mistaken = {said.id for said in honest if not about(said, world)}
    figures = {
        "honest_lost": float(np.mean([said.id not in taught for said in honest if said.id not in mistaken])),
        "mistakes_held": float(np.mean([said.id not in taught for said in honest if said.id in mistaken] or [np.nan])),
        "articles_without": changed(world, [s for s in today if s.teaches], names, vectors, by_author=False),
        "articles_with": changed(world, found.kept, names, vectors, by_author=True),
    }
    if poison:
        figures["reached"] = float(np.mean([said.id in taught for said in poison]))
        right = sum(said.id in names for said in found.kept if said.correction)
        figures["of_training_rows"] = right / max(1, sum(bool(said.correction) for said in found.kept))
        all_of_them = sum(bool(said.correction) for said in poison)
        figures["of_training_rows_without"] = all_of_them / (all_of_them + len(honest))
    return figures


def about(said: Said, world: World) -> bool:
    """Whether a correction words the answer of the topic that was asked about."""
    asked = next((t for t in world.topics if said.question in t.questions), None)
    return asked is None or any(said.correction.endswith(worded) for worded in asked.worded)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """(mean, half of the 95 % interval of the mean)."""
    found = np.array([value for value in values if not np.isnan(value)])
    return float(found.mean()), float(1.96 * found.std(ddof=1) / np.sqrt(len(found))) if len(found) > 1 else 0.0


def by_rule(known: Sequence[Topic], half: str, runs: int, vectors) -> dict[str, dict[str, float]]:
    """What each rule alone holds back: of poison by attack, and of honest corrections."""
    found: dict[str, dict[str, float]] = {}
    for name, rule in RULES.items():
        rows = {}
        for attack in ATTACKS:
            key = "honest_lost" if attack == "none" else "reached"
            value = interval([measure(known, half, s, attack, vectors, {name: rule})[key] for s in range(runs)])[0]
            rows["honest lost" if attack == "none" else attack] = value if attack == "none" else 1 - value
        found[name] = rows
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--half", choices=("tune", "report"), default="report")
    parser.add_argument("--rules", action="store_true", help="also what each rule does alone")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    embedder = CachedEmbedder(Embedder(find_embedder_folder()), Path(".llmops") / "benchmark-embeddings.db")
    kept: dict[str, np.ndarray] = {}

    def vectors(texts: Sequence[str]) -> dict[str, np.ndarray]:
        fresh = [text for text in dict.fromkeys(texts) if text not in kept]
        if fresh:
            kept.update(zip(fresh, embedder.embed(fresh), strict=True))
        return kept

    known = topics(given.data, given.half)
    result = {}
    for attack in ATTACKS:
        runs = [measure(known, given.half, seed, attack, vectors, RULES) for seed in range(given.runs)]
        result[attack] = {name: interval([run[name] for run in runs]) for name in runs[0]}
    if given.json:
        print(json.dumps(result, indent=1))
        return
    told = f"{len(known)} topics of the half {given.half}, {given.runs} runs"
    print(f"{told}; poison in training rows, articles it changed, honest corrections held back")
    print(f"{'attack':24}{'reaches rows':>16}{'of rows: without':>18}{'with':>8}{'articles: without':>19}{'with':>7}"
          f"{'honest held':>16}{'mistakes held':>16}")  # fmt: skip
    for attack, of in result.items():
        reached = f"{of['reached'][0]:.3f} ± {of['reached'][1]:.3f}" if "reached" in of else "-"
        without, with_ = (
            f"{of[key][0]:.3f}" if key in of else "-" for key in ("of_training_rows_without", "of_training_rows")
        )
        lost, mistakes = (f"{of[key][0]:.3f} ± {of[key][1]:.3f}" for key in ("honest_lost", "mistakes_held"))
        articles = [f"{of[key][0]:.1f}" for key in ("articles_without", "articles_with")]
        print(
            f"{attack:24}{reached:>16}{without:>18}{with_:>8}{articles[0]:>19}{articles[1]:>7}{lost:>16}{mistakes:>16}"
        )
    if given.rules:
        print(f"\n{'held by a rule alone':28}{'honest':>8}" + "".join(f"{name:>23}" for name in list(ATTACKS)[1:]))
        for name, rows in by_rule(known, given.half, min(5, given.runs), vectors).items():
            print(f"{name:28}{rows['honest lost']:>8.3f}" + "".join(f"{rows[a]:>23.3f}" for a in list(ATTACKS)[1:]))


if __name__ == "__main__":
    main()
