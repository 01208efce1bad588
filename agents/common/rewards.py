"""The reward of a training where breaches are to count for more than they cost."""

from __future__ import annotations

from sageserve_env.env.rewards import Money, Reward
from sageserve_env.errors import InputError
from sageserve_env.scenarios import load_problem


def priced(problem: str, reward: str, breach_factor: float) -> str | Reward:
    """A reward by name, or ``money`` with each breach at a multiple of the problem's price.

    The protocol asks for levels held in every episode before it looks at dollars, and a price alone need not bring that about.

    Args:
        problem: Name of a problem.
        reward: Name of a preset.
        breach_factor: On the problem's prices; 1 changes nothing.

    Raises:
        InputError: The reward is not ``money``, and the factor not 1.
    """
    if breach_factor == 1.0:
        return reward
    if reward != "money":
        raise InputError(f"breach_factor = {breach_factor:g} changes the prices of 'money', not of '{reward}'; leave one out")
    fast, normal, batch = load_problem(problem).breach_prices_usd
    return Money("money", (breach_factor * fast, breach_factor * normal, breach_factor * batch))
