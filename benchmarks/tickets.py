"""What of a ticket export reaches customers: 500 questions to a release that was made out of one.

Usage: python benchmarks/tickets.py write FILE [--count 1500] writes the sample's tickets (mail with history and
signatures, HTML, private notes, agents who write about one case). Make a release of them, then ask it:
llmops demo --data FILE --column intent=topic, and python benchmarks/tickets.py ask FILE HOME [--questions 500].
The questions are ordinary ones in the sample's wording, and people's own cases. Exit status 1 when an answer shows a
placeholder, markup, personal data, a name of the export, or words that an agent wrote about one case or to a colleague.
"""

import argparse
import functools
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from llmops_assets.lib.auditing.placeholders import placeholders
from llmops_assets.lib.redaction import Redactor, public_words
from llmops_assets.samples import generator, tickets
from resources import open_target
from resources.deployment_target import Ask
from resources.workspace import Workspace

FRAGMENT_WORDS = 4
"""Words in a row that are taken for the agent's."""
MARKUP = re.compile(r"</?[a-z][^>]*>|&[a-z]+;|&#\d+;", re.IGNORECASE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write")
    write.add_argument("file", type=Path)
    write.add_argument("--count", type=int, default=1500)
    ask = commands.add_parser("ask")
    ask.add_argument("file", type=Path)
    ask.add_argument("home", type=Path)
    ask.add_argument("--questions", type=int, default=500)
    arguments = parser.parse_args()
    if arguments.command == "write":
        print(f"{arguments.count} tickets in {tickets.write_export(arguments.file, arguments.count)}")
        return
    questions = [question for _, question in tickets.personal_questions(arguments.questions * 2 // 5)]
    day = generator.START + timedelta(days=7)
    questions += [
        query.question for query in generator.live_traffic(day, arguments.questions - len(questions), 99, 0.0)
    ]
    answers = answered(arguments.home, questions)
    names = names_of(arguments.file)
    faults = Counter(fault for answer in answers for fault in faults_of(answer, names))
    print(f"{len(answers)} answers, {len(set(answers))} different; with a fault: {dict(faults) or 'none'}")
    raise SystemExit(1 if faults or not answers else 0)


def answered(home: Path, questions: list[str]) -> list[str]:
    """The served answers to questions of different people."""
    target = open_target(Workspace(home))
    asks = [Ask(question, f"person {n}", f"conversation {n}") for n, question in enumerate(questions)]
    target.start()
    try:
        replies = target.ask_many(asks)
    finally:
        target.stop()
    print("paths:", dict(Counter(reply.path or f"status {reply.status}" for reply in replies)))
    return [reply.answer for reply in replies if reply.status == 200]


def faults_of(answer: str, names: frozenset[str]) -> Iterator[str]:
    """What an answer holds that it must not."""
    if placeholders(answer):
        yield "placeholder"
    if MARKUP.search(answer):
        yield "markup"
    if redactor().leaks(answer):
        yield "personal data"
    plain = " ".join(answer.lower().split())
    if any(name in plain for name in names):
        yield "name"
    if any(fragment in plain for fragment in fragments()):
        yield "one case's words"


@functools.cache
def redactor() -> Redactor:
    """What the company published itself is nobody's."""
    published = [text for a in generator.load_articles() for text in (a.answer, *a.questions)]
    return Redactor(key=b"k" * 32, allow=public_words(published), names=False)


def names_of(file: Path) -> frozenset[str]:
    """Names of customers and agents in the export, in small letters."""
    book, names = tickets.load_tickets(), set(generator.load_phrasebook().names)
    text = file.read_text()
    return frozenset(name.lower() for name in {*names, *book.agents} if name in text)


@functools.cache
def fragments() -> frozenset[str]:
    """Runs of fixed words in what agents wrote about one case, to colleagues, and in the system's notices."""
    book = tickets.load_tickets()
    texts = [case.answer for cases in book.personal.values() for case in cases]
    found = set()
    for text in (*texts, *book.notes, *book.notices, book.disclaimer):
        for part in re.split(r"\{\w+\}", text.lower()):
            words = part.split()
            found |= {" ".join(words[n : n + FRAGMENT_WORDS]) for n in range(len(words) - FRAGMENT_WORDS + 1)}
    return frozenset(found)


if __name__ == "__main__":
    main()
