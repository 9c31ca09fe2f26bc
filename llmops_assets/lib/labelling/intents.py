"""Intents learned from a few examples each, with calibrated confidence, and "unknown" for what resembles none of them.

Logistic regression on sentence embeddings: as accurate as fine-tuning from five examples a class, in a second. Nothing
here knows texts; everything is deterministic.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MINIMUM_EXAMPLES = 3
"""Rows an intent needs before it is learned."""
MAX_PER_INTENT = 200
UNKNOWN = ""
"""The intent of a row that resembles none of the learned ones."""
REJECTED_SHARE = 0.05
"""Share of known rows that may be called unknown: the quantile of their scores below which a row is."""
DOUBT_BELOW = 0.02
"""Calibrated probability of a given intent from which on it is not doubted."""
FOLDS = 5
BINS = 10
STEP = 512
"""Rows compared with the examples at once."""


class IntentClassifier:
    """Predicts an intent with its probability from unit embeddings (n, d). It always names one of its classes."""

    def __init__(self, vectors: np.ndarray, intents: Sequence[str]) -> None:
        counts = Counter(intent for intent in intents if intent)
        self.classes = sorted(intent for intent, count in counts.items() if count >= MINIMUM_EXAMPLES)
        self._model = None
        if len(self.classes) < 2:
            return
        known, taken = set(self.classes), Counter[str]()
        chosen = []
        for index, intent in enumerate(intents):
            if intent in known and taken[intent] < MAX_PER_INTENT:
                taken[intent] += 1
                chosen.append(index)
        self._model = _fitted(vectors[chosen], [intents[i] for i in chosen])

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Logits (n, classes) in the order of `classes`; zeros for a single class."""
        if self._model is None:
            return np.zeros((len(vectors), len(self.classes)))
        scores = self._model.decision_function(vectors)
        return scores if scores.ndim == 2 else np.stack([-scores / 2, scores / 2], axis=1)

    def predict(self, vectors: np.ndarray) -> list[tuple[str, float]]:
        """(intent, probability) of each row; ("", 0.0) when there was too little to learn from."""
        if not self.classes:
            return [(UNKNOWN, 0.0)] * len(vectors)
        probabilities = softmax(self.scores(vectors))
        best = probabilities.argmax(axis=1)
        return [(self.classes[i], float(row[i])) for i, row in zip(best, probabilities, strict=True)]

    def fill(self, vectors: np.ndarray, intents: Sequence[str]) -> list[str]:
        """The intents with every "" replaced by what the classifier says, so that rows compare with predicted ones."""
        missing = [i for i, intent in enumerate(intents) if not intent]
        guesses = dict(zip(missing, self.predict(vectors[missing]), strict=True)) if missing else {}
        return [intent or guesses[i][0] for i, intent in enumerate(intents)]


@dataclass(frozen=True)
class Prediction:
    """Predictions for n rows. `intents` holds "" where unknown, and `confidence` 0 there.

    `guesses` is the best intent even then, `margin` its lead over the next in calibrated probability (0 to 1).
    """

    intents: list[str]
    confidence: np.ndarray
    guesses: list[str]
    margin: np.ndarray


@dataclass(frozen=True)
class IntentModel:
    """A classifier with what was learned about its scores by cross-validation.

    `temperature` multiplies the logits (the inverse of Guo et al. 2017, https://arxiv.org/abs/1706.04599). A row is
    known when the sum of two standardised scores, its largest logit (https://arxiv.org/abs/1911.11132) and its
    similarity to the nearest example, reaches `threshold`. `accuracy` and `calibration_error` (expected, ten bins) are
    those of held-out folds, the temperature fitted on the other half of their rows. `doubted` marks examples whose
    intent is likely wrong: they were left out.
    """

    classifier: IntentClassifier
    examples: np.ndarray
    temperature: float
    threshold: float
    logit_scale: tuple[float, float]
    nearness_scale: tuple[float, float]
    accuracy: float
    calibration_error: float
    doubted: tuple[bool, ...]
    self_confidence: np.ndarray
    """Calibrated probability (n,) of each example's intent by the fold that did not see it; 1 where not learned."""
    suggestions: tuple[str, ...]
    """What the folds say of each example."""

    @property
    def classes(self) -> list[str]:
        """The intents that were learned, sorted."""
        return self.classifier.classes

    def predict(self, vectors: np.ndarray) -> Prediction:
        """Intents of unit embeddings (n, d)."""
        count = len(vectors)
        if not self.classes:
            return Prediction([UNKNOWN] * count, np.zeros(count), [UNKNOWN] * count, np.zeros(count))
        scores = self.classifier.scores(vectors)
        probabilities = softmax(self.temperature * scores)
        best = probabilities.argmax(axis=1)
        ranked = np.sort(probabilities, axis=1)
        margin = ranked[:, -1] - ranked[:, -2] if ranked.shape[1] > 1 else ranked[:, -1]
        known = _knownness(scores, nearness(vectors, self.examples), self.logit_scale, self.nearness_scale)
        accepted = known >= self.threshold
        guesses = [self.classes[i] for i in best]
        return Prediction(
            [guess if ok else UNKNOWN for guess, ok in zip(guesses, accepted, strict=True)],
            np.where(accepted, ranked[:, -1], 0.0),
            guesses,
            np.where(accepted, margin, 0.0),
        )


def learn_intents(vectors: np.ndarray, intents: Sequence[str], trusted: Sequence[bool] | None = None) -> IntentModel:
    """Learn intents from examples: unit embeddings (n, d), one intent each ("" is skipped).

    `trusted` marks examples that are never doubted (a person labelled them). Needs three examples of an intent to
    learn it; works from five.
    """
    trusted = [False] * len(intents) if trusted is None else trusted
    counts = Counter(intent for intent in intents if intent)
    classes = sorted(intent for intent, count in counts.items() if count >= MINIMUM_EXAMPLES)
    position = {intent: i for i, intent in enumerate(classes)}
    chosen = np.array([i for i, intent in enumerate(intents) if intent in position], int)
    labels = np.array([position[intents[i]] for i in chosen], int)
    learned = vectors[chosen]
    scores, near = _cross_validate(learned, labels, classes)
    doubts = find_doubts(labels, scores) & ~np.array([trusted[i] for i in chosen], bool)
    # An intent that would lose too many of its examples keeps them: that many doubts say more about the intent's
    # borders than about its labels.
    for label in range(len(classes)):
        own = labels == label
        if (own & ~doubts).sum() < max(MINIMUM_EXAMPLES, own.sum() / 2):
            doubts[own] = False
    kept = ~doubts
    temperature = fit_temperature(scores[kept], labels[kept])
    probabilities = softmax(temperature * scores)
    logit_scale, nearness_scale = _scale(_largest(scores[kept])), _scale(near[kept])
    known = _knownness(scores[kept], near[kept], logit_scale, nearness_scale)
    confidence, suggestions, doubted = np.ones(len(intents)), list(intents), [False] * len(intents)
    for row, label, own, doubt in zip(chosen, labels, probabilities, doubts, strict=True):
        confidence[row], suggestions[row], doubted[row] = own[label], classes[own.argmax()], bool(doubt)
    return IntentModel(
        classifier=IntentClassifier(learned[kept], [classes[i] for i in labels[kept]]),
        examples=learned[kept],
        temperature=temperature,
        threshold=float(np.quantile(known, REJECTED_SHARE)) if len(known) else 0.0,
        logit_scale=logit_scale,
        nearness_scale=nearness_scale,
        accuracy=float((scores[kept].argmax(axis=1) == labels[kept]).mean()) if classes else 0.0,
        calibration_error=_held_out_error(scores[kept], labels[kept]) if classes else 0.0,
        doubted=tuple(doubted),
        self_confidence=confidence,
        suggestions=tuple(suggestions),
    )


def find_doubts(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Which labels (n,) are likely wrong, given out-of-sample logits (n, classes).

    cleanlab's pruning by noise rate (confident learning, Northcutt et al. 2021, https://arxiv.org/abs/1911.00068), and
    of its finds those whose given label has less than `DOUBT_BELOW` once the temperature is fitted without them: at
    ten examples an intent a third of what the pruning alone finds is right as it stands.
    """
    if scores.shape[1] < 2:
        return np.zeros(len(labels), bool)
    from cleanlab.filter import find_label_issues

    rows, probabilities = np.arange(len(labels)), softmax(fit_temperature(scores, labels) * scores)
    found = np.asarray(find_label_issues(labels, probabilities, filter_by="prune_by_noise_rate", n_jobs=1), bool)
    sharper = softmax(fit_temperature(scores[~found], labels[~found]) * scores)
    return found & (sharper[rows, labels] < DOUBT_BELOW)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of logits."""
    if not scores.shape[1]:
        return scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """The factor on logits (n, classes) under which the labels (n,) are most likely; 1 for a single class."""
    from scipy.optimize import minimize_scalar

    if scores.shape[1] < 2:
        return 1.0
    rows = np.arange(len(labels))

    def loss(exponent: float) -> float:
        return float(-np.log(softmax(np.exp(exponent) * scores)[rows, labels] + 1e-12).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 4.0), method="bounded").x))


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error of confidences (n,) against whether they were right (n,), in ten equal bins."""
    bins = np.minimum((np.asarray(confidence) * BINS).astype(int), BINS - 1)
    total = 0.0
    for number in range(BINS):
        inside = bins == number
        if inside.any():
            total += float(inside.mean()) * abs(float(confidence[inside].mean()) - float(right[inside].mean()))
    return total


def nearness(vectors: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """Cosine (n,) of each row to its nearest example."""
    parts = [(vectors[i : i + STEP] @ examples.T).max(axis=1) for i in range(0, len(vectors), STEP)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _cross_validate(vectors: np.ndarray, labels: np.ndarray, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(logits, nearness) of every example from folds that did not see it."""
    scores, near = np.zeros((len(labels), len(classes))), np.zeros(len(labels))
    if not classes:
        return scores, near
    from sklearn.model_selection import StratifiedKFold

    folds = int(min(FOLDS, np.bincount(labels).min()))
    for seen, held_out in StratifiedKFold(folds, shuffle=True, random_state=0).split(vectors, labels):
        near[held_out] = nearness(vectors[held_out], vectors[seen])
        scores[held_out] = _fold(vectors[seen], labels[seen], vectors[held_out], len(classes))
    return scores, near


def _fold(vectors: np.ndarray, labels: np.ndarray, held_out: np.ndarray, classes: int) -> np.ndarray:
    if classes < 2:
        return np.zeros((len(held_out), classes))
    scores = _fitted(vectors, labels).decision_function(held_out)
    return scores if scores.ndim == 2 else np.stack([-scores / 2, scores / 2], axis=1)


def _fitted(vectors: np.ndarray, labels: Sequence[Any] | np.ndarray) -> Any:
    """Logistic regression on rows and their labels."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    # The products of a fit are small: more threads than one spend most of their time waiting for each other.
    with threadpool_limits(1, "blas"):
        return LogisticRegression(C=10.0, max_iter=1000).fit(vectors, labels)


def _scale(values: np.ndarray) -> tuple[float, float]:
    """(mean, deviation); a deviation of 0 becomes 1, so that constant scores say nothing."""
    if not len(values):
        return 0.0, 1.0
    return float(values.mean()), float(values.std()) or 1.0


def _largest(scores: np.ndarray) -> np.ndarray:
    return scores.max(axis=1) if scores.shape[1] else np.zeros(len(scores))


def _knownness(
    scores: np.ndarray, near: np.ndarray, logit_scale: tuple[float, float], nearness_scale: tuple[float, float]
) -> np.ndarray:
    return (_largest(scores) - logit_scale[0]) / logit_scale[1] + (near - nearness_scale[0]) / nearness_scale[1]


def _held_out_error(scores: np.ndarray, labels: np.ndarray) -> float:
    """Calibration error when each half of the rows is calibrated on the other."""
    confidence, right = np.zeros(len(labels)), scores.argmax(axis=1) == labels
    halves = np.arange(len(labels)) % 2
    for half in (0, 1):
        other, own = halves != half, halves == half
        if other.any() and own.any():
            temperature = fit_temperature(scores[other], labels[other])
            confidence[own] = softmax(temperature * scores[own]).max(axis=1)
    return calibration_error(confidence, right)
