"""What an interval cost, and how a reward is made of it: a small named object that a user replaces in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.sim.state import N_TIERS
from sageserve_env.world.checks import is_number

Terms = Mapping[str, NDArray[np.float64]]
"""Terms of one interval by name, each of shape (n_envs,)."""

TERMS = {
    "vm_usd": "VM-hours of every instance, provisioning and draining included, times the list price",
    "waste_usd": "the part of vm_usd that was spent on provisioning",
    "breach_usd": "avoidable breaches of service levels, each times its tier's price",
    "vm_hours": "VM-hours of every instance, provisioning and draining included",
    "spot_hours": "VM-hours given to spot customers",
    "breaches_iw_f": "avoidable breaches of tier IW-F: past their service level, though some fleet could have met it",
    "breaches_iw_n": "avoidable breaches of tier IW-N",
    "breaches_niw": "avoidable breaches of tier NIW",
    "arrived": "requests that arrived",
    "completed": "requests completed",
    "attainable_iw_f": "requests of tier IW-F that arrived, and whose service level some fleet can keep",
    "attainable_iw_n": "the same of tier IW-N",
    "attainable_niw": "the same of tier NIW",
}
"""The terms that the kernel computes for each interval, in its order. All are >= 0."""


def breaches(terms: Mapping[str, Any]) -> Any:
    """Avoidable breaches of all tiers: the ``cost`` of safe reinforcement learning."""
    return terms["breaches_iw_f"] + terms["breaches_iw_n"] + terms["breaches_niw"]


class Reward(Protocol):
    """Makes rewards of the terms of an interval.

    Attributes:
        name: Shown in reports.
        breach_prices_usd: Price of one avoidable breach by tier; prices ``breach_usd``.
    """

    @property
    def name(self) -> str:
        """Shown in reports."""
        ...

    @property
    def breach_prices_usd(self) -> tuple[float, float, float]:
        """Price of one avoidable breach by tier."""
        ...

    def __call__(self, terms: Terms) -> NDArray[np.float64]:
        """Rewards of shape (n_envs,), or (n_envs, n_objectives) for a vector reward."""
        ...


BREACH_PRICES_USD = (0.05, 0.25, 0.25)
"""Assumption, dollars by tier, of a problem that sets none: a late IW-N or NIW costs five times a late IW-F."""

MOST_USD = 1e12
"""Far above any price, and far below where sums of rewards overflow."""

USD_PER_REWARD = 1000.0
"""Rewards count thousands of dollars, so that returns are of order one to a hundred and learners need no normalisation."""


@dataclass(frozen=True)
class Money:
    """Minus the dollars of the interval, in thousands: VMs and avoidable breaches. The default."""

    name: str = "money"
    breach_prices_usd: tuple[float, float, float] = BREACH_PRICES_USD

    def __call__(self, terms: Terms) -> NDArray[np.float64]:
        """Minus (vm_usd + breach_usd) / 1000, shape (n_envs,)."""
        return -(terms["vm_usd"] + terms["breach_usd"]) / USD_PER_REWARD


@dataclass(frozen=True)
class Constrained:
    """Minus the dollars for VMs, in thousands: for learners that keep ``info["cost"]``, the avoidable breaches, under a level."""

    name: str = "constrained"
    breach_prices_usd: tuple[float, float, float] = BREACH_PRICES_USD

    def __call__(self, terms: Terms) -> NDArray[np.float64]:
        """Minus vm_usd / 1000, shape (n_envs,)."""
        return -terms["vm_usd"] / USD_PER_REWARD


@dataclass(frozen=True)
class MultiObjective:
    """A vector for multi-objective learners: minus thousands of dollars for VMs, breaches and provisioning waste."""

    name: str = "vector"
    breach_prices_usd: tuple[float, float, float] = BREACH_PRICES_USD
    objectives: tuple[str, ...] = ("vm_usd", "breach_usd", "waste_usd")

    def __call__(self, terms: Terms) -> NDArray[np.float64]:
        """Rewards of shape (n_envs, n_objectives)."""
        return -np.stack([terms[name] for name in self.objectives], axis=-1) / USD_PER_REWARD


Prices = tuple[float, float, float]


def money(prices_usd: Prices) -> Reward:
    """VMs and breaches at the problem's prices."""
    return Money(breach_prices_usd=prices_usd)


def latency_first(prices_usd: Prices) -> Reward:
    """Money with breaches at ten times their price: for fleets whose users come first."""
    fast, normal, batch = prices_usd
    return Money("latency-first", (10 * fast, 10 * normal, 10 * batch))


def constrained(prices_usd: Prices) -> Reward:
    """VMs alone; the breaches are the cost."""
    return Constrained(breach_prices_usd=prices_usd)


def vector(prices_usd: Prices) -> Reward:
    """VMs, breaches and waste apart."""
    return MultiObjective(breach_prices_usd=prices_usd)


REWARDS: dict[str, Callable[[Prices], Reward]] = {
    "money": money,
    "latency-first": latency_first,
    "constrained": constrained,
    "vector": vector,
}
"""Presets by the name that ``gym.make(..., reward=NAME)`` takes, made for a problem's prices of breaches."""


def as_reward(reward: str | Reward, prices_usd: Prices = BREACH_PRICES_USD) -> Reward:
    """A preset by name, at a problem's prices of breaches; or the object itself.

    Raises:
        InputError: There is no preset of that name, or the object is no reward.
    """
    if not isinstance(reward, str):
        require_reward(reward)
        return reward
    if reward not in REWARDS:
        raise InputError(f"reward = {reward!r}; choose one of {', '.join(REWARDS)} or pass an object such as Money(...)")
    return REWARDS[reward](prices_usd)


def require_reward(reward: Any) -> None:
    """Raise InputError unless an object can be called for rewards, has a name, and prices the breaches of each tier."""
    if not callable(reward) or not isinstance(getattr(reward, "name", None), str):
        raise InputError(f"reward = {reward!r} is none; choose one of {', '.join(REWARDS)} or pass an object such as Money(...)")
    prices = getattr(reward, "breach_prices_usd", None)
    if not isinstance(prices, Sequence) or len(prices) != N_TIERS or not all(is_price(price) for price in prices):
        raise InputError(f"reward: breach_prices_usd = {prices!r}; give {N_TIERS} prices >= 0, one for each tier")


def is_price(price: Any) -> bool:
    """Whether a value is a number of dollars that can be charged."""
    return is_number(price) and 0 <= price < MOST_USD


def reward_space(reward: Reward) -> spaces.Box | None:
    """Where a vector reward lies, as multi-objective wrappers ask for it: shape (n_objectives,); None for a scalar reward.

    A reward is a vector when it has ``objectives``, the names of the terms that it keeps apart.
    """
    objectives = getattr(reward, "objectives", None)
    return None if objectives is None else spaces.Box(-np.inf, 0.0, (len(objectives),), np.float64)
