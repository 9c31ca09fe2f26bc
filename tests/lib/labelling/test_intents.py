import numpy as np
import pytest

from llmops_assets.lib.labelling.intents import (
    IntentClassifier,
    calibration_error,
    find_doubts,
    fit_temperature,
    learn_intents,
    softmax,
)

RNG_SEED = 5


def cloud(classes: int, per_class: int, spread: float = 0.35, seed: int = RNG_SEED, dimensions: int = 32):
    """Unit vectors around random centres, with the name of each one's centre."""
    centres = np.random.default_rng(1).normal(size=(40, dimensions))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    vectors = np.concatenate(
        [centre + spread * rng.normal(size=(per_class, dimensions)) / 2 for centre in centres[:classes]]
    )
    names = [f"intent-{i:02d}" for i in range(classes) for _ in range(per_class)]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), names


@pytest.mark.parametrize("seeds", [5, 10])
def test_a_few_seeds_give_calibrated_confidence_on_rows_not_seen(seeds):
    seen, intents = cloud(12, seeds, 0.5)
    rest, truth = cloud(12, 100, 0.5, seed=6)
    model = learn_intents(seen, intents)
    predicted = model.predict(rest)
    right = np.array(predicted.guesses) == np.array(truth)
    assert right.mean() > 0.8
    accepted = np.array([bool(i) for i in predicted.intents])
    assert accepted.mean() > 0.85
    assert calibration_error(predicted.confidence[accepted], right[accepted]) < 0.1
    raw = IntentClassifier(seen, intents).predict(rest)
    assert calibration_error(np.array([p for _, p in raw]), right) > 0.2, "without calibration it is far off"


def test_what_resembles_no_intent_is_unknown_with_no_confidence_and_a_guess():
    seen, intents = cloud(10, 10)
    strange, _ = cloud(20, 20, seed=7)
    predicted = learn_intents(seen, intents).predict(strange)
    unknown = np.array([not i for i in predicted.intents])
    assert unknown[:200].mean() < 0.2
    assert unknown[200:].mean() > 0.9
    assert (predicted.confidence[unknown] == 0).all()
    assert all(predicted.guesses)


def test_wrong_labels_are_doubted_with_a_suggestion_and_left_out():
    vectors, intents = cloud(6, 60)
    wrong = list(range(0, len(intents), 12))
    given = list(intents)
    for i in wrong:
        given[i] = "intent-00" if intents[i] != "intent-00" else "intent-01"
    model = learn_intents(vectors, given)
    found = [i for i, doubted in enumerate(model.doubted) if doubted]
    assert len(set(found) & set(wrong)) / len(found) > 0.9
    assert len(set(found) & set(wrong)) / len(wrong) > 0.7
    assert all(model.suggestions[i] == intents[i] for i in set(found) & set(wrong))
    assert len(model.examples) == len(given) - len(found)


@pytest.mark.slow
def test_labels_of_people_are_never_doubted():
    vectors, intents = cloud(6, 40)
    given = ["intent-01" if i % 12 == 0 else intent for i, intent in enumerate(intents)]
    assert any(learn_intents(vectors, given).doubted)
    assert not any(learn_intents(vectors, given, [True] * len(given)).doubted)


def test_an_intent_does_not_lose_most_of_its_examples():
    vectors, intents = cloud(4, 30)
    # A whole intent that is spread over the others.
    given = ["odd" if i % 10 == 0 else intent for i, intent in enumerate(intents)]
    model = learn_intents(vectors, given)
    assert sum(d for d, g in zip(model.doubted, given, strict=True) if g == "odd") <= given.count("odd") / 2
    assert "odd" in model.classes


@pytest.mark.parametrize(
    ("classes", "learned"),
    [
        ([], []),
        (["a", "a"], []),
        (["a"] * 3, ["a"]),
        (["a"] * 3 + ["b"] * 2, ["a"]),
        (["a"] * 3 + ["b"] * 3, ["a", "b"]),
    ],
)
def test_it_works_with_little_or_nothing_to_learn_from(classes, learned):
    vectors = cloud(1, max(1, len(classes)))[0][: len(classes)].reshape(-1, 32)
    model = learn_intents(vectors, classes)
    predicted = model.predict(cloud(2, 2)[0])
    assert model.classes == learned
    assert len(predicted.intents) == len(predicted.confidence) == 4
    assert set(predicted.intents) <= {*learned, ""}
    assert np.isfinite(predicted.confidence).all()


def test_learning_twice_gives_the_same():
    vectors, intents = cloud(5, 8)
    first, second = (learn_intents(vectors, intents).predict(vectors) for _ in range(2))
    assert first.intents == second.intents
    assert (first.confidence == second.confidence).all()


def test_filling_replaces_only_what_is_missing():
    vectors, intents = cloud(3, 10)
    classifier = IntentClassifier(vectors, intents)
    gaps = ["" if i % 3 == 0 else "given" for i in range(len(intents))]
    filled = classifier.fill(vectors, gaps)
    assert all(f == ("given" if g else t) for f, g, t in zip(filled, gaps, intents, strict=True))


def test_temperature_makes_scores_as_sure_as_they_are_right():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 5)) * 2
    labels = np.array([rng.choice(5, p=row) for row in softmax(logits)])
    assert fit_temperature(logits * 4, labels) == pytest.approx(0.25, rel=0.1)


def test_calibration_error_is_the_gap_between_confidence_and_rightness():
    assert calibration_error(np.array([0.95, 0.95]), np.array([True, False])) == pytest.approx(0.45)
    assert calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


def test_doubts_need_a_confident_contradiction():
    labels = np.array([0, 1] * 20 + [0])
    scores = np.array([[3.0, -3.0], [-3.0, 3.0]] * 20 + [[-3.0, 3.0]])
    scores[0] = [0.1, 0.2]
    assert list(np.flatnonzero(find_doubts(labels, scores))) == [40]
