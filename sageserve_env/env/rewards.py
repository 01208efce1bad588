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
from sageserve_env.world.costs.carbon import has_carbon
from sageserve_env.world.schema import World

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
    "carbon_kg": "carbon of energy_kwh by region and hour; 0 in worlds without carbon",
    "energy_kwh": "energy of every instance, loading, idle or serving, with the data centre's share; 0 in worlds without power",
    "egress_usd": "prompts sent to other regions and outputs sent back, at list price; 0 in worlds without egress",
    "carbon_usd": "carbon_kg times the reward's price of carbon",
}
"""The terms that the kernel computes for each interval, in its order. All are >= 0."""


def breaches(terms: Mapping[str, Any]) -> Any:
    """Avoidable breaches of all tiers: the ``cost`` of safe reinforcement learning."""
    return terms["breaches_iw_f"] + terms["breaches_iw_n"] + terms["breaches_niw"]


def dollars(terms: Mapping[str, Any]) -> Any:
    """All that an interval cost: VMs, avoidable breaches, and where the world has them egress and carbon."""
    return terms["vm_usd"] + terms["breach_usd"] + terms["egress_usd"] + terms["carbon_usd"]


class Reward(Protocol):
    """Makes rewards of the terms of an interval.

    One that has ``carbon_usd_per_t``, the price of carbon, prices ``carbon_usd`` with it; others have the default.

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

CARBON_USD_PER_T = 100.0
"""Assumption, dollars for 1,000 kg of CO₂ equivalent: of the order of carbon markets and of estimates of the social cost."""

KG_PER_T = 1000.0

MOST_USD = 1e12
"""Far above any price, and far below where sums of rewards overflow."""

USD_PER_REWARD = 1000.0
"""Rewards count thousands of dollars, so that returns are of order one to a hundred and learners need no normalisation."""


@dataclass(frozen=True)
class Money:
    """Minus the dollars of the interval, in thousands: VMs, avoidable breaches, egress and carbon. The default."""

    name: str = "money"
    breach_prices_usd: tuple[float, float, float] = BREACH_PRICES_USD
    carbon_usd_per_t: float = CARBON_USD_PER_T

    def __call__(self, terms: Terms) -> NDArray[np.float64]:
        """Minus (vm_usd + breach_usd + egress_usd + carbon_usd) / 1000, shape (n_envs,)."""
        return -dollars(terms) / USD_PER_REWARD


@dataclass(frozen=True)
class Constrained:
    """Minus the dollars of all but breaches, in thousands: for learners that keep ``info["cost"]``, their number, under a level."""

    name: str = "constrained"
    breach_prices_usd: tuple[float, float, float] = BREACH_PRICES_USD
    carbon_usd_per_t: float = CARBON_USD_PER_T

    def __call__(self, terms: Terms) -> NDArray[np.float64]:
        """Minus (vm_usd + egress_usd + carbon_usd) / 1000, shape (n_envs,)."""
        return -(dollars(terms) - terms["breach_usd"]) / USD_PER_REWARD


@dataclass(frozen=True)
class MultiObjective:
    """A vector for multi-objective learners: minus thousands of dollars for VMs, breaches and provisioning waste.

    By name, ``reward="vector"``, it also has ``egress_usd`` and ``carbon_usd`` in worlds that have them.
    """

    name: str = "vector"
    breach_prices_usd: tuple[float, float, float] = BREACH_PRICES_USD
    objectives: tuple[str, ...] = ("vm_usd", "breach_usd", "waste_usd")
    carbon_usd_per_t: float = CARBON_USD_PER_T

    def __call__(self, terms: Terms) -> NDArray[np.float64]:
        """Rewards of shape (n_envs, n_objectives)."""
        return -np.stack([terms[name] for name in self.objectives], axis=-1) / USD_PER_REWARD


Prices = tuple[float, float, float]


def money(prices_usd: Prices, world: World) -> Reward:
    """VMs, breaches at the problem's prices, egress and carbon."""
    return Money(breach_prices_usd=prices_usd)


def latency_first(prices_usd: Prices, world: World) -> Reward:
    """Money with breaches at ten times their price: for fleets whose users come first."""
    fast, normal, batch = prices_usd
    return Money("latency-first", (10 * fast, 10 * normal, 10 * batch))


def constrained(prices_usd: Prices, world: World) -> Reward:
    """All but the breaches, which are the cost."""
    return Constrained(breach_prices_usd=prices_usd)


def vector(prices_usd: Prices, world: World) -> Reward:
    """VMs, breaches, waste, and what else costs dollars in a world, apart."""
    return MultiObjective(breach_prices_usd=prices_usd, objectives=(*MultiObjective().objectives, *objectives_of(world)))


REWARDS: dict[str, Callable[[Prices, World], Reward]] = {
    "money": money,
    "latency-first": latency_first,
    "constrained": constrained,
    "vector": vector,
}
"""Presets by the name that ``gym.make(..., reward=NAME)`` takes, made for a problem's prices of breaches."""


def as_reward(reward: str | Reward, world: World, prices_usd: Prices = BREACH_PRICES_USD) -> Reward:
    """A preset by name, for a world and a problem's prices of breaches; or the object itself.

    Raises:
        InputError: There is no preset of that name, or the object is no reward.
    """
    if not isinstance(reward, str):
        require_reward(reward)
        return reward
    if reward not in REWARDS:
        raise InputError(f"reward = {reward!r}; choose one of {', '.join(REWARDS)} or pass an object such as Money(...)")
    return REWARDS[reward](prices_usd, world)


def objectives_of(world: World) -> tuple[str, ...]:
    """Terms that are dollars in this world and no others."""
    has = {"egress_usd": world.egress_usd_per_gb is not None, "carbon_usd": has_carbon(world)}
    return tuple(name for name, is_there in has.items() if is_there)


def carbon_usd_per_t(reward: Reward) -> float:
    """A reward's price of carbon, dollars for 1,000 kg."""
    return float(getattr(reward, "carbon_usd_per_t", CARBON_USD_PER_T))


def require_reward(reward: Any) -> None:
    """Raise InputError unless an object can be called for rewards, has a name, and prices the breaches of each tier."""
    if not callable(reward) or not isinstance(getattr(reward, "name", None), str):
        raise InputError(f"reward = {reward!r} is none; choose one of {', '.join(REWARDS)} or pass an object such as Money(...)")
    prices = getattr(reward, "breach_prices_usd", None)
    if not isinstance(prices, Sequence) or len(prices) != N_TIERS or not all(is_price(price) for price in prices):
        raise InputError(f"reward: breach_prices_usd = {prices!r}; give {N_TIERS} prices >= 0, one for each tier")
    price = getattr(reward, "carbon_usd_per_t", CARBON_USD_PER_T)
    if not is_price(price):
        raise InputError(f"reward: carbon_usd_per_t = {price!r}; give dollars for 1,000 kg, 0 or more")


def is_price(price: Any) -> bool:
    """Whether a value is a number of dollars that can be charged."""
    return is_number(price) and 0 <= price < MOST_USD


def reward_space(reward: Reward) -> spaces.Box | None:
    """Where a vector reward lies, as multi-objective wrappers ask for it: shape (n_objectives,); None for a scalar reward.

    A reward is a vector when it has ``objectives``, the names of the terms that it keeps apart.
    """
    objectives = getattr(reward, "objectives", None)
    return None if objectives is None else spaces.Box(-np.inf, 0.0, (len(objectives),), np.float64)
