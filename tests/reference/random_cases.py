"""Random cases of the kinds that both simulators serve alike, and their comparison.

For as many as wanted: ``python -m tests.reference.random_cases COUNT [FIRST_SEED [REQUESTS [MOST_INSTANCES]]]``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sageserve_env.evaluation.golden.files import MODELS, TIMESTAMPS, Case
from sageserve_env.evaluation.golden.run import simulate, world_of
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk, preference_orders
from tests.reference import authors_rules as authors

CAPACITY = {model: (authors.GPU_BYTES - authors.WEIGHTS[model]) / authors.KV_BYTES[model] for model in MODELS}


@dataclass(frozen=True)
class RandomCase:
    """A fleet, which may scale, and a trace."""

    seed: int
    fleet: dict[str, int]
    requests: Chunk
    is_reactive: bool = False


def draw(seed: int, n: int | None = None, most_instances: int = 3) -> RandomCase:
    """A case: one or two models, one to three (or more) instances, any load from idle to memory-bound, any sizes and origins."""
    rng = np.random.default_rng(seed)
    names = list(rng.permutation(MODELS)[: rng.integers(1, 3)])
    fleet = {name: int(rng.integers(1, most_instances + 1)) for name in names}
    n = n or int(rng.choice([20, 100, 500, 1500]))
    requests = np.zeros(n, REQUEST_DTYPE)
    requests["arrival_s"] = draw_arrivals(rng, n)
    model = rng.choice(len(names), n, p=rng.dirichlet(np.ones(len(names))))
    requests["model"] = model
    requests["origin"] = rng.choice(3, n, p=rng.dirichlet(np.full(3, 0.5)))
    requests["preference"] = rng.integers(0, 2, n)
    most = np.array([CAPACITY[name] for name in names])[model]
    requests["prompt_tokens"], requests["output_tokens"] = draw_sizes(rng, n, most)
    return RandomCase(seed, fleet, requests)


def draw_reactive(seed: int) -> RandomCase:
    """A case whose fleet scales: two to six instances of each model, quiet and busy stretches, requests that fill memory."""
    rng = np.random.default_rng(seed)
    fleet = {name: int(rng.integers(2, 7)) for name in MODELS}
    n = int(rng.choice([500, 1500, 3000]))
    requests = np.zeros(n, REQUEST_DTYPE)
    stretch = np.repeat(np.exp(rng.normal(0.0, 1.0, n // 50)), 50)
    requests["arrival_s"] = np.round(np.cumsum(rng.exponential(rng.uniform(0.1, 1.0), n) * stretch), 6)
    busy = rng.random() < 0.5
    requests["model"] = rng.random(n) < (0.5 if busy else 0.5 + 0.45 * np.sin(np.arange(n) / n * rng.uniform(3, 20)))
    requests["origin"] = rng.choice(3, n, p=rng.dirichlet(np.full(3, 2.0)))
    requests["preference"] = rng.integers(0, 2, n)
    requests["prompt_tokens"] = np.clip(np.exp(rng.normal(rng.uniform(7.5, 8.7), 0.8, n)), 10, 30_000)
    requests["output_tokens"] = np.clip(np.exp(rng.normal(rng.uniform(4.0, 5.5), 0.8, n)), 2, 2000)
    return RandomCase(seed, fleet, requests, is_reactive=True)


def draw_arrivals(rng: np.random.Generator, n: int) -> np.ndarray:
    """Times with gaps of a random mean: Poisson, bursty, in whole seconds (many equal), or all at once; six decimals."""
    mean_s = 10 ** rng.uniform(-2.5, 1.0)
    kind = rng.integers(0, 4)
    if kind == 3:
        gaps = rng.exponential(mean_s * 20, n) * (rng.random(n) < 0.05)
    else:
        shape = 1.0 if kind == 0 else 0.2
        gaps = rng.gamma(shape, mean_s / shape, n)
    times = np.cumsum(gaps) + rng.uniform(0, 3)
    return np.round(times, 0 if kind == 2 else 6)


def draw_sizes(rng: np.random.Generator, n: int, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prompt and output tokens: log-normal, short outputs or a few round sizes; the rare long prompt near the memory's size."""
    kind = rng.integers(0, 3)
    if kind == 2:
        prompt, output = rng.choice([1, 128, 512, 4096, 8192], n), rng.choice([2, 3, 16, 256], n)
    else:
        prompt = np.exp(rng.normal(rng.uniform(3, 8.5), rng.uniform(0.3, 1.5), n))
        output = np.exp(rng.normal(rng.uniform(1, 6), rng.uniform(0.3, 1.5), n))
    long = rng.random(n) < rng.choice([0.0, 0.0, 0.01])
    prompt = np.where(long, rng.uniform(0.2, 0.9, n) * most, prompt)
    prompt = np.clip(prompt, 1, 0.9 * most).astype(int)
    return prompt, np.clip(output, 2, 0.05 * most).astype(int)


def to_authors(case: RandomCase) -> list[authors.Request]:
    """The trace as the plain reference takes it."""
    orders, names = preference_orders(3), list(case.fleet)
    return [
        authors.Request(
            k,
            float(row["arrival_s"]),
            names[row["model"]],
            tuple(authors.REGIONS[region] for region in orders[row["origin"], row["preference"]]),
            int(row["prompt_tokens"]),
            int(row["output_tokens"]),
        )
        for k, row in enumerate(case.requests)
    ]


@dataclass(frozen=True)
class Outcome:
    """How the two differ on a case. ``first_different`` is the first request, by time, that differs, or None.

    ``same_place``: share of requests in the same region and, on a fixed fleet, the same instance.
    """

    difference_s: float
    same_place: float
    moves: tuple[int, int]
    killed_at_work: int
    first_different: int | None
    rerouted: float
    waited: float


def compare(case: RandomCase) -> Outcome | None:
    """Serve a case with both; None where the authors' rules get stuck for ever."""
    try:
        fleet = authors.serve(case.fleet, theirs := to_authors(case), case.is_reactive)
    except authors.StuckError:
        return None
    scaling = "reactive" if case.is_reactive else "none"
    run = simulate(world_of(Case(Path(f"random-{case.seed}"), case.fleet, "exact", scaling=scaling)), case.requests)
    ours = run.outcomes
    times = np.array([[getattr(request, name) for name in TIMESTAMPS] for request in theirs])
    gaps = np.abs(np.stack([ours[name] for name in TIMESTAMPS], axis=1) - times).max(axis=1)
    gaps[np.isnan(gaps)] = np.inf
    place = np.array([(authors.REGIONS.index(request.region), request.instance) for request in theirs])
    same = (ours["region"] == place[:, 0]) & (case.is_reactive | (ours["instance"] == place[:, 1]))
    wrong = np.flatnonzero((gaps > 1e-6) | ~same)
    first = int(wrong[np.argmin(times[wrong, 0])]) if wrong.size else None
    rerouted = float(np.mean([request.region != request.order[0] for request in theirs]))
    waited = float(np.mean(times[:, 1] - times[:, 0] > authors.ROUTER_S + 5))
    moves = len(fleet.moves), run.moves
    return Outcome(float(gaps.max()), float(same.mean()), moves, fleet.killed_at_work, first, rerouted, waited)


def main(count: int, first_seed: int = 0, n: int = 0, most_instances: int = 3) -> int:
    """Compare many cases (of ``n`` requests, 0: of any number); returns how many differ."""
    stuck = different = 0
    worst = 0.0
    for seed in range(first_seed, first_seed + count):
        case = draw(seed, n or None, most_instances)
        outcome = compare(case)
        if outcome is None:
            stuck += 1
        elif outcome.first_different is not None:
            different += 1
            print(f"seed {seed}: fleet {case.fleet}, {len(case.requests)} requests: {outcome}")
        else:
            worst = max(worst, outcome.difference_s)
    print(f"{count} cases: {stuck} stuck in theirs, {different} differ, largest difference of the others {worst:.1e} s")
    return different


if __name__ == "__main__":
    raise SystemExit(min(main(*(int(argument) for argument in sys.argv[1:])), 1))
