"""How long iterations take: tables or an iteration model, runs of decode iterations, and what one request takes alone."""

from __future__ import annotations

import math

from sageserve_env.compile import kernel
from sageserve_env.sim.state import NONE, TABLES, Sim


@kernel
def prefill_table_s(s: Sim, profile: int, tokens: float) -> float:
    """The prefill table at a number of tokens: piecewise linear, its first and last segments extended.

    The knots passed are counted, all of them: a search would guess its way, and tables are short.
    """
    knot, first = s.knot, s.profile[profile].first_knot
    low = first
    for inner in range(first + 1, first + s.profile[profile].knots - 1):
        low += knot[inner].tokens <= tokens
    high = low + 1
    slope = (knot[high].seconds - knot[low].seconds) / (knot[high].tokens - knot[low].tokens)
    return abs(knot[low].seconds + slope * (tokens - knot[low].tokens))


@kernel
def decode_iteration_s(s: Sim, profile: int, sequences: int, context_tokens: int) -> float:
    """An iteration that only decodes. Tables know no context: their ``context_token_s`` is 0, and adds nothing."""
    return s.decode_s[profile, sequences] + s.profile[profile].context_token_s * context_tokens


@kernel
def prefill_iteration_s(s: Sim, vm: int) -> float:
    """The iteration that an instance is about to run, which prefills and may decode."""
    inst = s.instance[vm]
    tokens = tokens_to_prefill(s, vm)
    profile = s.profile[inst.profile]
    if profile.kind == TABLES:
        seconds = prefill_table_s(s, inst.profile, tokens + inst.decodes)
        return seconds * s.settings[0].mixed_factor if inst.decodes > 0 else seconds
    seconds = decode_iteration_s(s, inst.profile, inst.decodes, inst.context_tokens)
    return seconds + profile.prefill_token_s * tokens + profile.prefill_context_s * tokens_before(s, vm, tokens)


@kernel
def tokens_to_prefill(s: Sim, vm: int) -> int:
    """Prompt tokens of the running iteration: all that the batch has yet to prefill, as far as the budget goes."""
    inst = s.instance[vm]
    return min(inst.prefill_tokens, s.settings[0].budget_tokens - inst.decodes)


@kernel
def tokens_before(s: Sim, vm: int, tokens: int) -> int:
    """Summed over the next ``tokens`` to prefill: those before each in its prompt."""
    before = 0
    done, slot = s.instance[vm].prefilled, s.instance[vm].prefill_head
    while slot != NONE:
        chunk = min(s.flight[slot].prompt - done, tokens)
        before += chunk * done + (chunk * (chunk - 1) >> 1)
        tokens -= chunk
        done = 0
        slot = s.flight[slot].next
    return before


@kernel
def run_s(iteration_s: float, growth_s: float, iterations: int) -> float:
    """A run of iterations of which each is longer than the one before by ``growth_s``."""
    return iterations * iteration_s + growth_s * (iterations * (iterations - 1) >> 1)


@kernel
def iterations_until(start_s: float, iteration_s: float, growth_s: float, now_s: float) -> int:
    """Iterations of a run that have ended by now.

    A growing run solves a quadratic equation, in the form without cancellation. Rounding may put the solution one iteration off,
    so the ends that :func:`run_s` gives, which are those of the events, have the last word.
    """
    elapsed_s = now_s - start_s
    if growth_s == 0.0:
        return math.floor(elapsed_s / iteration_s)
    linear_s = iteration_s - 0.5 * growth_s
    done = math.floor(2.0 * elapsed_s / (linear_s + math.sqrt(linear_s * linear_s + 2.0 * growth_s * elapsed_s)))
    while done > 0 and start_s + run_s(iteration_s, growth_s, done) > now_s:
        done -= 1
    while start_s + run_s(iteration_s, growth_s, done + 1) <= now_s:
        done += 1
    return done


@kernel
def prefill_alone_s(s: Sim, profile: int, prompt: int) -> float:
    """Seconds to prefill a prompt on an instance that does nothing else."""
    settings, times = s.settings[0], s.profile[profile]
    full = (prompt - 1) // settings.budget_tokens  # chunks before the last
    if times.kind == TABLES:
        last_s = prefill_table_s(s, profile, prompt - full * settings.budget_tokens) + settings.overhead_s
        if full == 0:
            return last_s
        return full * (prefill_table_s(s, profile, settings.budget_tokens) + settings.overhead_s) + last_s
    iterations_s = (full + 1) * (s.decode_s[profile, 0] + settings.overhead_s)
    before = prompt * (prompt - 1) >> 1
    return iterations_s + times.prefill_token_s * prompt + times.prefill_context_s * before


@kernel
def decode_alone_s(s: Sim, profile: int, prompt: int, output: int) -> float:
    """Seconds to decode all output tokens after the first on an instance that does nothing else."""
    first_s = decode_iteration_s(s, profile, 1, prompt + 1) + s.settings[0].overhead_s
    return run_s(first_s, s.profile[profile].context_token_s, output - 1)
