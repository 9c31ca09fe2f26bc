"""Direct preference optimisation on the tiny model: against log-probabilities and losses computed here, in full."""

import math

import pytest

from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training import loop
from llmops_assets.lib.training import rows as row_tools
from llmops_assets.lib.training.preference import train_dpo

pytestmark = pytest.mark.slow

PROMPT = "Be brief."
PAIRS = [
    {"question": f"what is number {n}?", "chosen": f"it is {n}", "rejected": "none in the other inn"} for n in range(4)
]
RECIPE = Recipe(method="dpo", rank=4, alpha=8, learning_rate=1e-3, epochs=4, max_length=384)


def tune(tiny_model, start, folder, recipe=RECIPE, pairs=PAIRS, **options):
    folder.mkdir()
    return train_dpo(tiny_model.folder, recipe, PROMPT, pairs, start, folder, base_name="tiny", **options)


def preferences(tiny_model, adapter) -> list[float]:
    """How much likelier each chosen answer is than the rejected one, in nats."""
    import torch
    from peft import PeftModel

    model = PeftModel.from_pretrained(loop.load_model(tiny_model.folder), str(adapter))
    tokenizer = row_tools.load_tokenizer(tiny_model.folder)

    def likelihood(question: str, answer: str) -> float:
        prompt = tokenizer.encode(render_chat(build_messages(PROMPT, question)), add_special_tokens=False).ids
        target = tokenizer.encode(f"{answer}<|im_end|>", add_special_tokens=False).ids
        with torch.no_grad():
            scores = torch.log_softmax(model(input_ids=torch.tensor([prompt + target])).logits[0].double(), -1)
        return sum(float(scores[len(prompt) + n - 1, token]) for n, token in enumerate(target))

    return [likelihood(p["question"], p["chosen"]) - likelihood(p["question"], p["rejected"]) for p in PAIRS]


@pytest.fixture(scope="module")
def tuned(tiny_model, strong_adapter, tmp_path_factory):
    steps: list[tuple[int, int]] = []
    folder = tmp_path_factory.mktemp("dpo") / "adapter"
    return tune(tiny_model, strong_adapter, folder, progress=lambda step, of, loss: steps.append((step, of))), steps


def test_the_margin_grows_and_is_measured_against_the_adapter_it_started_from(tiny_model, strong_adapter, tuned):
    result, steps = tuned
    before, after = preferences(tiny_model, strong_adapter), preferences(tiny_model, result.folder)
    margins = [late - early for early, late in zip(before, after, strict=True)]
    assert min(margins) > 1.0
    assert result.metrics["margin"] == pytest.approx(sum(margins) / len(margins), abs=1e-3)
    assert result.metrics["preferred_share"] == 1.0
    assert result.metrics["pairs"] == len(PAIRS)
    assert result.metrics["loss_last"] < result.metrics["loss_first"]
    assert steps == [(n, 16) for n in range(1, 17)]


def test_the_first_loss_is_that_of_no_preference_since_the_reference_is_the_adapter_itself(tuned):
    assert tuned[0].losses[0] == pytest.approx(math.log(2), abs=1e-5)


def test_a_loss_is_the_logistic_one_of_the_margin_times_beta(tiny_model, strong_adapter, tmp_path):
    one = [PAIRS[0]]
    recipe = RECIPE.model_copy(update={"epochs": 2.0, "beta": 0.5})
    both = tune(tiny_model, strong_adapter, tmp_path / "both", recipe, one)
    first = tune(tiny_model, strong_adapter, tmp_path / "first", recipe.model_copy(update={"epochs": 1.0}), one)
    assert both.losses[1] == pytest.approx(math.log1p(math.exp(-0.5 * first.metrics["margin"])), abs=1e-4)


def test_tuning_twice_makes_the_same_adapter(tiny_model, strong_adapter, tmp_path, tuned):
    assert tune(tiny_model, strong_adapter, tmp_path / "again").digest == tuned[0].digest


def test_the_adapter_it_starts_from_is_left_alone_and_the_result_names_the_base_model(strong_adapter, tuned):
    from peft import PeftConfig

    start = PeftConfig.from_pretrained(str(strong_adapter))
    made = PeftConfig.from_pretrained(str(tuned[0].folder))
    assert start.base_model_name_or_path != "tiny"
    assert made.base_model_name_or_path == "tiny"
    assert (made.r, made.lora_alpha) == (start.r, start.lora_alpha)


def test_pairs_that_are_too_long_are_left_out_and_none_left_is_an_error(tiny_model, strong_adapter, tmp_path):
    pairs = [PAIRS[0], PAIRS[1] | {"rejected": "the other " * 60}, PAIRS[2] | {"chosen": "the other " * 60}]
    recipe = RECIPE.model_copy(update={"epochs": 1.0, "max_length": 128})
    assert tune(tiny_model, strong_adapter, tmp_path / "1", recipe, pairs).metrics["pairs"] == 1
    with pytest.raises(ValueError, match="no preference pair"):
        tune(tiny_model, strong_adapter, tmp_path / "2", recipe, pairs[1:])
