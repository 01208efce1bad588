"""Iteration models fitted to measured runs.

With N users, prompts of P and answers of O tokens, an iteration decodes about N sequences of P + O/2 tokens, and in the time of one
token of a user, N - 1 others begin a prompt once in O tokens. So the time of a token is

    base + sequence N + context N (P + O/2) + prefill (N - 1)/O P + prefill context (N - 1)/O P²/2.

The time to the first token is that of the iteration which it finds under way (half of it), of its own prefill, of the prompts that
go before it, and of what no iteration holds: the way in, tokenising, scheduling (``frontend_s``). All of it is linear in the
coefficients, so one fit finds them from both times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.world.schema import IterationModel
from sageserve_env.world.silicon.least_squares import robust_fit
from sageserve_env.world.silicon.runs import Deployment, Floats, Group

ROUNDS = 10
"""Requests of each user in a run: what benchmark clients send by default."""

GO_BEFORE = 0.15
"""Share of half the others whose prompts go before a request's own: ``1 / ROUNDS``, since a run begins with all prompts at once,
and half as much again where several happen to come together; found by replaying the measured runs through the simulator."""

LEAST_SETTINGS = 10
"""A group with fewer distinct settings is not fitted: a quarter of them is held out, and there are six coefficients."""

TTFT_IMPORTANCE = 0.2
"""A relative error of the time to first token counts a fifth of one of the time per token: it is measured far less exactly."""

DIGITS = 6
"""Significant digits of what is kept, so that a fit is the same on every machine."""


@dataclass(frozen=True)
class Fit:
    """An iteration model with where it comes from.

    Attributes:
        deployment: What was measured.
        base_s: Seconds of every iteration.
        sequence_s: For each decoding sequence.
        context_token_s: For each context token of the decoding sequences.
        prefill_token_s: For each prompt token.
        prefill_context_s: For each prompt token and each token before it.
        frontend_s: Seconds of each request before the first token that no iteration holds.
        rows: Measured runs that the fit saw.
        held_out_rows: Measured runs that it did not see.
        tpot_error: Median relative error of the time per token, runs that the fit saw.
        tpot_error_held_out: The same, the others.
        ttft_error: Median relative error of the time to first token, runs that the fit saw.
        ttft_error_held_out: The same, the others.
        least: Smallest (prompt tokens, output tokens, users) measured.
        most: Largest.
    """

    deployment: Deployment
    base_s: float
    sequence_s: float
    context_token_s: float
    prefill_token_s: float
    prefill_context_s: float
    frontend_s: float
    rows: int
    held_out_rows: int
    tpot_error: float
    tpot_error_held_out: float
    ttft_error: float
    ttft_error_held_out: float
    least: tuple[int, int, int]
    most: tuple[int, int, int]

    @property
    def provenance(self) -> str:
        """Where the numbers come from, on one line."""
        ranges = zip(("prompt", "output", "users"), self.least, self.most, strict=True)
        return (
            f"{self.deployment.label}: fitted to {self.rows} runs, median error {self.tpot_error:.1%} of TPOT and "
            f"{self.ttft_error:.0%} of TTFT ({self.tpot_error_held_out:.1%} and {self.ttft_error_held_out:.0%} of "
            f"{self.held_out_rows} held out), for {', '.join(f'{name} {low} to {high}' for name, low, high in ranges)}; "
            f"beside its iterations a request takes {1000 * self.frontend_s:.0f} ms"
        )

    @property
    def profile(self) -> IterationModel:
        """What a world's model takes; ``frontend_s`` is none of an iteration's, ``Routing.delay_s`` can hold it."""
        return IterationModel(
            self.base_s, self.sequence_s, self.context_token_s, self.prefill_token_s, self.prefill_context_s, self.provenance
        )


def fit_groups(groups: list[Group]) -> list[Fit]:
    """Fit every group that has enough runs.

    Raises:
        InputError: None has.
    """
    enough = [group for group in groups if settings(group) >= LEAST_SETTINGS]
    if not enough:
        most = max(map(settings, groups))
        raise InputError(
            f"measurements: no deployment has {LEAST_SETTINGS} settings of (prompt_tokens, output_tokens, concurrency), which "
            f"a fit needs; the largest has {most}; measure more, or name model, system and engine the same in all its rows"
        )
    return [fit_group(group) for group in enough]


def settings(group: Group) -> int:
    """Distinct (prompt tokens, output tokens, users) of a group."""
    return np.unique(np.stack([group.prompt_tokens, group.output_tokens, group.users]), axis=1).shape[1]


def fit_group(group: Group) -> Fit:
    """Fit a group's runs that are not held out.

    Args:
        group: At least ``LEAST_SETTINGS`` settings.
    """
    seen, unseen = group.part(~group.held_out), group.part(group.held_out)
    coefficients = rounded(
        robust_fit(
            np.concatenate([tpot_columns(seen), ttft_columns(seen)]),
            np.concatenate([seen.tpot_s, seen.ttft_s]),
            np.repeat([1.0, TTFT_IMPORTANCE], len(seen)),
        )
    )
    tpot_errors = [median_error(tpot_columns(part) @ coefficients, part.tpot_s) for part in (seen, unseen)]
    ttft_errors = [median_error(ttft_columns(part) @ coefficients, part.ttft_s) for part in (seen, unseen)]
    base_s, sequence_s, context_token_s, prefill_token_s, prefill_context_s, frontend_s = coefficients.tolist()
    return Fit(
        group.deployment,
        base_s=base_s,
        sequence_s=sequence_s,
        context_token_s=context_token_s,
        prefill_token_s=prefill_token_s,
        prefill_context_s=prefill_context_s,
        frontend_s=frontend_s,
        rows=len(seen),
        held_out_rows=len(unseen),
        tpot_error=tpot_errors[0],
        tpot_error_held_out=tpot_errors[1],
        ttft_error=ttft_errors[0],
        ttft_error_held_out=ttft_errors[1],
        least=(int(group.prompt_tokens.min()), int(group.output_tokens.min()), int(group.users.min())),
        most=(int(group.prompt_tokens.max()), int(group.output_tokens.max()), int(group.users.max())),
    )


def tpot_columns(group: Group) -> Floats:
    """What each coefficient is multiplied by in the time of a token, shape (n, 6)."""
    prompt, output, users = group.prompt_tokens, group.output_tokens, group.users
    begun = (users - 1) / output * (1 - 1 / (2 * ROUNDS))  # in the last round, half of the others begin no more
    context = users * (prompt + output / 2)
    zero = np.zeros(len(group))
    return np.stack([zero + 1, users, context, begun * prompt, begun * prompt**2 / 2, zero], axis=1)


def ttft_columns(group: Group) -> Floats:
    """The same of the time to first token, shape (n, 6)."""
    prompt, others = group.prompt_tokens, group.users - 1
    context = others * (prompt + group.output_tokens / 2)
    prefills = 1 + GO_BEFORE * others / 2
    one = np.ones(len(group))
    own = np.stack([one, others, context, prefills * prompt, prefills * prompt**2 / 2, one], axis=1)
    return np.asarray(own + tpot_columns(group) / 2)


def median_error(found: Floats, measured: Floats) -> float:
    """Median relative error, rounded to 1e-4."""
    return round(float(np.median(np.abs(found / measured - 1))), 4)


def rounded(values: Floats) -> Floats:
    """Values to ``DIGITS`` significant digits."""
    return np.array([float(f"{value:.{DIGITS}g}") for value in values])
