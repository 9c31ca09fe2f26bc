"""Fixtures of the tests of training, on the tiny model."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from training_support import ROWS

from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training import loop
from llmops_assets.lib.training import rows as row_tools


@pytest.fixture(scope="session")
def examples(tiny_model) -> Sequence[row_tools.Example]:
    made, dropped = row_tools.encode_rows(row_tools.load_tokenizer(tiny_model.folder), "Be brief.", ROWS, 384)
    assert dropped == 0
    return made


@pytest.fixture(scope="session")
def strong_adapter(tiny_model, tmp_path_factory) -> Path:
    """An untrained adapter with large random weights in every matrix: whatever is misplaced is seen."""
    import torch

    folder = tmp_path_factory.mktemp("strong")
    recipe = Recipe(rank=4, alpha=8)
    model = loop.with_lora(loop.load_model(tiny_model.folder), recipe)
    generator = torch.Generator().manual_seed(5)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    loop.save_adapter(model, folder, str(tiny_model.folder), {}, [])
    return folder


@pytest.fixture(scope="session")
def student(tiny_model, strong_adapter, examples, tmp_path_factory) -> Path:
    """The tiny model with the strong adapter merged in and one of its two layers left."""
    from llmops_assets.lib.training.distillation import distil

    folder = tmp_path_factory.mktemp("student")
    distil(
        tiny_model.folder,
        strong_adapter,
        examples,
        examples,
        folder,
        drop_layers=1,
        steps=2,
        learning_rate=1e-3,
        seed=1,
    )
    return folder
