"""Settings of the agents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Settings of masked PPO.

    Attributes:
        n_envs: Environments stepped together.
        n_steps: Steps of each environment between two updates.
        batch_size: Transitions in a gradient step.
        n_epochs: Passes over the transitions of an update.
        gamma: Discount of a step.
        gae_lambda: Decay of the advantage estimates.
        ent_coef: Weight of the entropy bonus.
        learning_rate: At the start; falls linearly to a tenth.
        hidden: Units in each of the two hidden layers of the policy and of the value net.
        hold_logit: Initial logit of "no change" (the others start at 0), so that a new agent mostly holds the fleet.
        max_delta: Most instances that one action changes an endpoint by.
        save_every: Updates between two checkpoints.
    """

    n_envs: int = 16
    n_steps: int = 144
    batch_size: int = 576
    n_epochs: int = 6
    gamma: float = 0.99
    gae_lambda: float = 0.95
    ent_coef: float = 0.001
    learning_rate: float = 6e-4
    hidden: int = 64
    hold_logit: float = 2.0
    max_delta: int = 1
    save_every: int = 8
