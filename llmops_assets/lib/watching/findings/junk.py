"""Whether texts are of any language: people who ask about something share words, hands on a keyboard do not."""

from collections.abc import Collection, Sequence

SIZE = 3
"""Letters in a sequence that texts are compared by: words need no spaces, inflected ones count in part."""
TEXTS = 24
"""Different texts that are compared, evenly spaced ones of more: among thousands every sequence occurs by chance."""
FEWEST_TEXTS = 10
JUNK_SHARE = 0.1
"""Mean share of a text's sequences that occur in another text, up to which the texts are junk.

Of 10 to 200 texts of 15 to 50 random letters it was at most 0.07, of ten German questions about ten things 0.5.
"""


def shared(texts: Collection[str]) -> float:
    """Mean share of the letter sequences of different texts that another one has too.

    1.0 of too few to compare, and of scripts without small letters.
    """
    different = sorted({text.casefold() for text in texts})
    chosen = [different[n * len(different) // TEXTS] for n in range(TEXTS)] if len(different) > TEXTS else different
    letters = [letter for text in chosen for letter in text if letter.isalpha()]
    # Where a sign is a word or half of one, three in a row are rare in two questions about one thing.
    spelled = 2 * sum(letter.islower() for letter in letters) > len(letters)
    if len(chosen) < FEWEST_TEXTS or not spelled:
        return 1.0
    sequences = [_sequences(text) for text in chosen]
    return sum(_share(own, sequences[:n] + sequences[n + 1 :]) for n, own in enumerate(sequences)) / len(sequences)


def _sequences(text: str) -> set[str]:
    letters = " ".join(text.split())
    return {letters[n : n + SIZE] for n in range(max(1, len(letters) - SIZE + 1))}


def _share(own: set[str], others: Sequence[set[str]]) -> float:
    return len(own & set().union(*others)) / len(own)
