"""The embedder's own arithmetic; that it agrees with transformers is shown in tests/test_real_model.py."""

import math

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from llmops_assets.lib.answering import embedding
from llmops_assets.lib.answering.embedding import BLOCK_ROWS, FEW_TEXTS, Embedder, find_embedder_folder, map_tensors


@pytest.mark.parametrize("rows", [1, BLOCK_ROWS, BLOCK_ROWS + 1])
def test_gelu_is_the_exact_one_up_to_float32(rows):
    x = np.linspace(-12, 12, rows * 1000, dtype=np.float32).reshape(rows, 1000)
    exact = x.astype(np.float64) * (1 + np.vectorize(math.erf)(x.astype(np.float64) / math.sqrt(2))) / 2
    embedding._gelu(x)
    assert np.abs(x - exact).max() < 1e-6


@pytest.mark.slow
def test_a_vector_does_not_depend_on_what_it_is_embedded_with():
    texts = ["where is my parcel", "Refund?", "I cannot log in " * 30, "", *(f"parcel number {n}" for n in range(200))]
    embedder = Embedder(find_embedder_folder())
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts[:8]])
    assert np.abs(together[:8] - alone).max() < 1e-6
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_few_texts_are_multiplied_by_one_thread_and_many_by_all(monkeypatch):
    def threads_of_blas() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    def forward(ids: np.ndarray) -> np.ndarray:
        seen.append(threads_of_blas())
        return np.ones((len(ids), 384), np.float32)

    seen: list[set[int]] = []
    embedder = Embedder(find_embedder_folder())
    monkeypatch.setattr(embedder, "_forward", forward)
    with threadpool_limits(2, "blas"):
        embedder.embed(["where is my parcel"] * FEW_TEXTS)
        embedder.embed(["where is my parcel"] * (FEW_TEXTS + 1))
        assert threads_of_blas() == {2}
    assert seen == [{1}, {2}]


def test_tokens_are_counted_that_are_not_read():
    embedder = Embedder(find_embedder_folder())
    texts = ["a", "lamp " * 126, "lamp " * 127, "lamp " * 1000, ""]
    counted = embedder.count(texts)
    assert counted == [3, 128, 129, 1002, 2]
    assert [count <= embedder.most_tokens for count in counted] == [True, True, False, False, True]
    same, longer = embedder.embed(texts[1:3])
    assert np.abs(same - longer).max() < 1e-6


def test_mapped_tensors_are_those_of_the_file(tmp_path):
    from safetensors.numpy import load_file, save_file

    draws = np.random.default_rng(3)
    tensors = {"a": draws.normal(size=(3, 5)).astype(np.float32), "n": np.arange(7), "h": np.ones((2, 2), np.float16)}
    for metadata in ({}, {"odd": "x" * 3}):
        save_file(tensors, tmp_path / "some.safetensors", metadata=metadata)
        mapped, read = map_tensors(tmp_path / "some.safetensors"), load_file(tmp_path / "some.safetensors")
        assert set(mapped) == set(read)
        for name, value in read.items():
            assert np.array_equal(mapped[name], value)
            assert mapped[name].dtype == value.dtype
            assert not mapped[name].flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            mapped["a"][0, 0] = 1


def test_tensors_of_a_type_that_numpy_lacks_are_told(tmp_path):
    header = b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    (tmp_path / "some.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(ValueError, match="tensors of type BF16 are not read"):
        map_tensors(tmp_path / "some.safetensors")
