"""Always-valid inference for a canary: what may be said about candidate and incumbent however often one looks.

Which side answers a conversation is drawn by the hash of its name, so where the candidate changes nothing, each
conversation with an event is the candidate's with exactly the chance `share`, whatever the day, the incident or the
customer behind it. `log_evidence` is the mixture sequential probability ratio test of that (Robbins 1970; for canaries
Lindon and Malek, NeurIPS 2022, https://arxiv.org/abs/2011.03567; Johari, Koomen, Pekelis and Walsh, Operations Research
2022, https://arxiv.org/abs/1512.04922). `upper_end` bounds one side's share of conversations with an event at all times
at once, also where it changes from hour to hour: the sub-Bernoulli bound of Howard, Ramdas, McAuliffe and Sekhon
(Annals of Statistics 2021, https://arxiv.org/abs/1810.08240), whose capital is the bet of Waudby-Smith and Ramdas
(JRSS B 2024, https://arxiv.org/abs/2010.09686). What is decided on them: rollout.py.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

RATIOS = (1.1, 30.0, 20)
"""Least and greatest rate of events over the incumbent's that is mixed over, and how many between, by equal factors."""
TILTS = (0.03, 3.0, 12)
"""The same of the bets on a share."""
HALVINGS = 24
"""Of the interval in which an end is looked for: it is exact to 6e-8."""


def log_evidence(candidate: "ArrayLike", events: "ArrayLike", share: float, *, both: bool = False) -> "np.ndarray":
    """Logarithm of the evidence that the candidate has more than its `share` of so many events; `both`: or less.

    Where it has exactly its share, the exponential is a martingale that starts at 1: it ever reaches 1/a with a chance
    of at most a (Ville). `candidate` and `events` are counts of the same shape. ValueError for a share that is not
    between 0 and 1.
    """
    import numpy as np

    if not 0 < share < 1:
        raise ValueError(f"a share of {share} leaves one side without conversations")
    mine, all_of_them = np.asarray(candidate, float)[..., None], np.asarray(events, float)[..., None]
    ratios = np.geomspace(*RATIOS)
    if both:
        ratios = np.concatenate([1 / ratios[::-1], ratios])
    chance = share * ratios / (share * ratios + 1 - share)
    grown = mine * np.log(chance / share) + (all_of_them - mine) * np.log((1 - chance) / (1 - share))
    return _log_mean_exp(grown)


def always_valid_p(log_path: "np.ndarray") -> "np.ndarray":
    """p after every look, along the last axis: small as soon as the evidence was ever great."""
    import numpy as np

    return np.exp(-np.maximum(0.0, np.maximum.accumulate(log_path, axis=-1)))


def upper_end(events: "ArrayLike", total: "ArrayLike", alpha: float) -> "np.ndarray":
    """The greatest mean chance of an event that `events` of `total` do not refuse at `alpha`, at all times at once.

    1 of nothing. It is a bound on the mean of the chances so far, which may differ from conversation to conversation.
    """
    import numpy as np

    k, n = np.broadcast_arrays(np.asarray(events, float), np.asarray(total, float))
    tilts = np.geomspace(*TILTS)
    shrunk = np.expm1(-tilts)
    low, high = k / np.maximum(n, 1), np.ones_like(k)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        capital = -k[..., None] * tilts - n[..., None] * np.log1p(middle[..., None] * shrunk)
        refused = _log_mean_exp(capital) >= -np.log(alpha)
        low, high = np.where(refused, low, middle), np.where(refused, middle, high)
    return np.where(n > 0, high, 1.0)


def lower_end(events: "ArrayLike", total: "ArrayLike", alpha: float) -> "np.ndarray":
    """The least mean chance of an event, as `upper_end`; 0 of nothing."""
    import numpy as np

    return 1.0 - upper_end(np.asarray(total) - np.asarray(events), total, alpha)


def loss_interval(
    candidate: "ArrayLike", candidate_of: "ArrayLike", incumbent: "ArrayLike", incumbent_of: "ArrayLike", alpha: float
) -> tuple["np.ndarray", "np.ndarray"]:
    """Ends of the candidate's share of events less the incumbent's; each is wrong at any time with a chance of at most
    `alpha`, half of it for either side's share."""
    low = lower_end(candidate, candidate_of, alpha / 2) - upper_end(incumbent, incumbent_of, alpha / 2)
    high = upper_end(candidate, candidate_of, alpha / 2) - lower_end(incumbent, incumbent_of, alpha / 2)
    return low, high


def _log_mean_exp(values: "np.ndarray") -> "np.ndarray":
    import numpy as np

    most = values.max(axis=-1, keepdims=True)
    return np.log(np.exp(values - most).mean(axis=-1)) + most[..., 0]
