"""From what a network puts out to an action: the likeliest one, or one drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError, shown

HEADS = ("categorical", "values", "gaussian", "squashed")
"""What outputs mean: logits of one or several choices; values of the choices of one; means of a normal law, with ``log_std``
apart; means and logarithms of standard deviations of a normal law whose draws go through tanh."""

DISCRETE = ("categorical", "values")

LOG_STD_BOUNDS = (-20.0, 2.0)
"""Of ``squashed``, as Stable-Baselines3's SAC has them."""

Reals = NDArray[np.floating[Any]]


def n_outputs(head: str, sizes: list[int]) -> int:
    """Outputs that a head needs.

    Args:
        head: One of ``HEADS``.
        sizes: Choices of each entry of the action; for continuous heads, one number: the entries.
    """
    return 2 * sizes[0] if head == "squashed" else sum(sizes)


def choose(outputs: Reals, sizes: list[int], mask: NDArray[Any] | None, rng: np.random.Generator | None) -> NDArray[np.int64]:
    """A choice for each entry of a discrete action, shape (entries,).

    Args:
        outputs: Logits or values, end to end, shape (sum of sizes,).
        sizes: Choices of each entry.
        mask: Which choices may be taken, any shape of so many entries; None: all.
        rng: Draws by the logits; None takes the greatest.
    """
    allowed = np.ones(len(outputs), np.bool_) if mask is None else np.asarray(mask).ravel().astype(np.bool_)
    scores = np.where(allowed, outputs, -np.inf)
    if rng is not None:
        scores = scores + rng.gumbel(size=len(scores))  # the greatest is then a draw from the softmax
    return np.array([int(np.argmax(part)) for part in np.split(scores, np.cumsum(sizes)[:-1])])


def place(head: str, outputs: Reals, log_std: Reals | None, rng: np.random.Generator | None) -> Reals:
    """A continuous action within -1 and 1, shape (entries,), float32.

    Args:
        head: ``"gaussian"`` or ``"squashed"``.
        outputs: Of the network.
        log_std: Of ``"gaussian"``, shape (entries,).
        rng: Draws; None takes the mean.
    """
    mean, spread = outputs, log_std
    if head == "squashed":
        mean, raw = np.split(outputs, 2)
        spread = np.clip(raw, *LOG_STD_BOUNDS)
    if rng is not None:
        assert spread is not None
        mean = mean + np.exp(spread) * rng.standard_normal(len(mean))
    action: Reals = (np.tanh(mean) if head == "squashed" else np.clip(mean, -1.0, 1.0)).astype(np.float32)
    return action


def check_head(head: Any, sizes: Any, is_sampled: Any) -> None:
    """Refuse settings that no head has.

    Raises:
        InputError: A value is not as it must be.
    """
    if head not in HEADS:
        raise InputError(f"head = {shown(head)}; choose one of {', '.join(HEADS)}")
    is_counts = isinstance(sizes, list) and sizes != [] and all(type(size) is int and 0 < size < 1 << 20 for size in sizes)
    if not is_counts or (head != "categorical" and len(sizes) != 1):
        raise InputError(f"sizes = {shown(sizes)}; give the choices of each entry of the action, or one number of entries")
    if type(is_sampled) is not bool or (is_sampled and head == "values"):
        raise InputError(f"is_sampled = {shown(is_sampled)} does not suit head = '{head}'; give true or false")
