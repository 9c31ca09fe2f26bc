"""The vectors of the sentences that ship: all there, those of the embedder, and none of another one's."""

import numpy as np
import pytest

from llmops_assets.lib.answering import shipped
from llmops_assets.lib.answering.embedding import DIMENSIONS, Embedder, find_embedder_folder
from llmops_assets.lib.teaching import shipping


class Counting:
    """An embedder that notes what it is asked."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self.asked: list[str] = []

    def embed(self, texts):
        self.asked += texts
        return np.tile(np.float32([0.1] * DIMENSIONS), (len(texts), 1))


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(find_embedder_folder())


def test_every_sentence_that_ships_has_its_vector_and_no_other_is_kept(embedder):
    wanted = {shipped.key_of(embedder, text) for text in shipping.texts()}
    assert shipped.read().keys() == wanted, "run `make vectors`"


@pytest.mark.slow
def test_they_are_what_the_embedder_makes_of_them(embedder):
    some = sorted(set(shipping.texts()))[::200]
    kept, made = shipped.embed(Counting(embedder.digest), some), embedder.embed(some)
    # Half precision keeps 11 bits, and another build of BLAS differs in the last bits of a float32.
    np.testing.assert_allclose(kept, made, rtol=2**-11, atol=1e-6)


def test_only_what_does_not_ship_is_asked_for_and_rounded_alike(embedder):
    counting = Counting(embedder.digest)
    known = shipping.texts()[0]
    vectors = shipped.embed(counting, ["A sentence of nobody.", known, "A sentence of nobody."])
    assert counting.asked == ["A sentence of nobody."]
    assert vectors.dtype == np.float32
    assert (vectors[0] == np.float32(np.float16(0.1))).all()
    assert (vectors[2] == vectors[0]).all()
    assert not (vectors[1] == vectors[0]).any()


def test_another_embedder_is_asked_for_all_of_them():
    counting = Counting("another")
    shipped.embed(counting, shipping.texts()[:3])
    assert len(counting.asked) == 3


def test_equal_sentences_in_any_order_are_equal_bytes():
    counting = Counting("any")
    assert shipped.to_bytes(counting, ["b", "a", "b"]) == shipped.to_bytes(counting, ["a", "b"])
    assert len(counting.asked) == 4
