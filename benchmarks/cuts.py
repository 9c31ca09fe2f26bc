"""Personal data in answers that engines send in pieces: what of it leaves, wherever the pieces are cut.

Usage: python benchmarks/cuts.py [--cuts N] [--seed N]

An engine writes answers that each hold one value: an e-mail address, an IBAN, a card's number, a phone number, or a
name that only the last words show to be one. The value is cut at random places inside it, the rest anywhere. The whole
chain answers, streamed; a leak is any six characters of the value in a row, or a shorter name, in what was sent. A leak
ends the run with status 1.
"""

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

from faker import Faker
from gateway import Instant, write_releases

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.callers import Caller
from llmops_assets.gateway.chain import Chain
from llmops_assets.gateway.engine import Engine, Usage
from llmops_assets.gateway.exchange import Ask
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.releases import Releases
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.records import GenerationSettings
from llmops_assets.lib.redaction import Redactor

SHORTEST = 6
"""Characters of a value in a row that count as a leak: shorter ones stand in any text."""
INSIDE = 10
"""Cuts of a value at most."""
KINDS = ("e-mail", "IBAN", "card", "phone", "name known late")


class Cutting(Engine):
    """An engine whose next answer is `pieces`."""

    def __init__(self) -> None:
        self.pieces: Sequence[str] = ()

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def tokens(self, text: str) -> list[bytes]:
        return [word.encode() for word in text.split(" ")]

    async def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        return await Instant().count(messages)

    async def stream(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes = NONE
    ) -> AsyncGenerator[str | Usage]:
        for piece in self.pieces:
            yield piece
        yield Usage(20, len(self.pieces))


def main() -> None:
    """Print what left, and how the answers ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_releases(root)
        made, paths, leaks = asyncio.run(measure(root, arguments.cuts, random.Random(arguments.seed)))
    print(
        f"{made} cuts of {', '.join(KINDS)} in {sum(paths.values())} streamed answers, "
        f"{time.monotonic() - began:.0f} s: {sum(leaks.values())} leaks {dict(leaks) or ''}".strip()
    )
    print("answered by: " + ", ".join(f"{path} {number}" for path, number in paths.most_common()))
    sys.exit(1 if leaks else 0)


async def measure(root: Path, cuts: int, chance: random.Random) -> tuple[int, Counter[str], Counter[str]]:
    """How often values were cut, how the answers were answered, and leaks by the kind of value."""
    engine = Cutting()

    def make(_: Bundle) -> Engine:
        return engine

    embedder = Embedder(find_embedder_folder())
    log = InteractionLog(f"sqlite:///{root / 'log.db'}")
    releases = Releases(root / "writing", make, embedder.digest, root / "trusted.pem")
    chain = Chain(Redactor([], b"k" * 32), embedder, log, releases)
    watcher = asyncio.create_task(releases.watch())
    while not releases.loaded:
        await asyncio.sleep(0.05)
    faker = Faker("en_US")
    faker.seed_instance(chance.random())
    made = 0
    paths: Counter[str] = Counter()
    leaks: Counter[str] = Counter()
    while made < cuts:
        kind = KINDS[sum(paths.values()) % len(KINDS)]
        value = drawn(kind, faker, chance)
        engine.pieces, inside = cut(SENTENCES[kind].format(value), value, chance)
        made += inside
        async with chain.exchange(Caller("benchmark"), Ask("live", "How do you answer?")) as exchange:
            sent = "".join([piece async for piece in chain.stream(exchange)])
        paths[exchange.path or "none"] += 1
        runs = {value[start : start + SHORTEST] for start in range(max(1, len(value) - SHORTEST + 1))}
        leaks[kind] += any(run in sent for run in runs)
    watcher.cancel()
    await releases.close()
    log.close()
    return made, paths, +leaks


SENTENCES = {
    "e-mail": "Our colleague is at {}, in the morning.",
    "IBAN": "The refund goes to {} within a week.",
    "card": "It was paid with {} last month.",
    "phone": "Call {} before you send it back.",
    "name known late": "{0} will bring it back to the shop in the afternoon. Regards, Julia {0}",
}


def drawn(kind: str, faker: Faker, chance: random.Random) -> str:
    """A value of a kind."""
    if kind == "phone":
        return f"+49 151 {chance.randrange(10**7, 10**8)}"
    makes = {
        "e-mail": faker.email,
        "IBAN": faker.iban,
        "card": faker.credit_card_number,
        "name known late": faker.last_name,
    }
    return makes[kind]()


def cut(text: str, value: str, chance: random.Random) -> tuple[list[str], int]:
    """The text in pieces, cut inside of the value and anywhere, and how often inside."""
    start = text.index(value)
    inside = chance.sample(range(1, len(value)), min(INSIDE, len(value) - 1))
    places = {start + place for place in inside} | {chance.randrange(1, len(text)) for _ in range(chance.randrange(12))}
    ends = [0, *sorted(places), len(text)]
    return [text[begin:end] for begin, end in itertools.pairwise(ends)], len(inside)


if __name__ == "__main__":
    main()
