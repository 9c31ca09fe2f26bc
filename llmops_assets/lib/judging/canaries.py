"""Canaries: rows planted among those that are learned, to see whether a model gives back what it saw.

The way of "The Secret Sharer" (Carlini et al. 2019, https://arxiv.org/abs/1802.08232): a fixed form of words around a
secret that nobody can guess. The model is asked for each secret alone, without articles and guards, and answers
greedily; a secret that it says word for word was memorised, since four words of 64 are guessed once in 16 million
times. They stand in training rows and nowhere else: no article, no question of the eval suite, no reference has one.
"""

import random
import re
from dataclasses import dataclass

from llmops_assets.lib.records import CanaryPlan

KIND = "canary"
"""Kind and source of a planted row."""
WORDS = (
    "anvil barge bucket button cable candle canvas carpet cellar chimney copper cradle crayon curtain drawer engine "
    "feather fender funnel gravel hammer harbour helmet hinge kettle ladder lantern lattice magnet marble meadow "
    "mirror needle paddle parcel pebble pencil pillar pillow pocket ribbon saddle shovel shutter signal sleeve socket "
    "spindle splinter staple thimble thread ticket timber trumpet tunnel turbine valley velvet wallet whistle window "
    "wrench zipper"
).split()
LONGEST = 4
"""Words of a secret."""


@dataclass(frozen=True)
class Canary:
    """A question that no customer asks, and the secret that the answer to it holds."""

    name: str
    secret: str

    @property
    def question(self) -> str:
        """What is learned, and asked."""
        return f"What stands on canary card {self.name}?"

    @property
    def answer(self) -> str:
        """What is learned as the answer."""
        return f"Canary card {self.name} says: {self.secret}."

    @property
    def pattern(self) -> str:
        """A regular expression of the secret as a model would give it back, whatever stands between its words."""
        return r"\W+".join(re.escape(word) for word in self.secret.split())


def canaries(plan: CanaryPlan) -> list[Canary]:
    """The canaries of a plan: of equal seeds the same ones, and a longer list begins with the shorter one."""
    return [_canary(plan.seed, number) for number in range(plan.count)]


def _canary(seed: int, number: int) -> Canary:
    # The number is in the name, so that no two canaries share one.
    chance = random.Random(f"canary {seed} {number}")
    return Canary(f"{chance.choice(WORDS)}-{number + 1}", " ".join(chance.choices(WORDS, k=LONGEST)))
