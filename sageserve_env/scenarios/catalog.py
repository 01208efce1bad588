"""The problems by name. Their model cards are in docs/scenarios.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from sageserve_env.registration import IDS, problem_name
from sageserve_env.scenarios.perturbation import Perturbation, Randomisation
from sageserve_env.scenarios.problem import Problem
from sageserve_env.scenarios.sources import DAY_S, WEEK_S, WHOLE_WEEK, AzureSource, O365Source, Window, azure_windows, weekdays
from sageserve_env.scenarios.splits import Split
from sageserve_env.world.measurements import A100, MEASURED_MODELS
from sageserve_env.world.presets import published, published_a100
from sageserve_env.world.schema import World

HOUR_S = 3600.0

VALIDATION_VARIANTS = (
    Perturbation(),
    Perturbation(level=0.8, phase_s=-HOUR_S),
    Perturbation(level=1.2, tiers=(("NIW", 1.2),)),
    Perturbation(phase_s=HOUR_S, noise=0.15, noise_seed=101),
    Perturbation(level=1.1, burst_copies=4.0),
)

TEST_VARIANTS = (
    Perturbation(),
    Perturbation(level=0.75, phase_s=1.5 * HOUR_S, noise=0.1, noise_seed=201),
    Perturbation(level=1.3),
    Perturbation(phase_s=-1.5 * HOUR_S, tiers=(("IW-F", 1.2), ("NIW", 0.85))),
    Perturbation(level=1.15, burst_copies=6.0, noise=0.15, noise_seed=202),
)

WEEK_VALIDATION_VARIANTS = (
    Perturbation(level=0.65),
    Perturbation(level=1.45, phase_s=HOUR_S),
    Perturbation(phase_s=-2.5 * HOUR_S),
    Perturbation(phase_s=2.5 * HOUR_S, noise=0.15, noise_seed=101),
    Perturbation(level=1.45, burst_copies=4.0),
)
"""Each lies outside the bounds of ``Randomisation`` in its level or its phase, as the splits of the week share its days."""

WEEK_TEST_VARIANTS = (
    Perturbation(level=0.6),
    Perturbation(level=1.5),
    Perturbation(phase_s=-3 * HOUR_S, tiers=(("IW-F", 1.2), ("NIW", 0.85))),
    Perturbation(phase_s=3 * HOUR_S, noise=0.2, noise_seed=202),
    Perturbation(level=1.5, phase_s=HOUR_S, burst_copies=6.0),
)

AZURE_VARIANTS = (
    Perturbation(),
    Perturbation(level=0.8),
    Perturbation(level=1.25),
    Perturbation(level=1.5),
    Perturbation(level=2.0),
)
"""The first is the trace as it was recorded."""

BURST_COPIES = 8.0
"""Further copies of the requests of each hour's first minute (paper section 8)."""


def _splits(train: tuple[Window, ...], validation: tuple[Window, ...], test: tuple[Window, ...]) -> tuple[Split, ...]:
    """Splits by windows, with the usual perturbations."""
    return (
        Split("train", train, Randomisation()),
        Split("validation", validation, variants=VALIDATION_VARIANTS),
        Split("test", test, variants=TEST_VARIANTS),
    )


MINI_MODEL = "bloom-176b"
MINI_SCALE = 0.45
MINI_START, MINI_VMS = 4, 12
"""Chosen so that the cheapest fleet that never changes has 1 to 5 instances a region, by the day (docs/scenarios.md)."""

AZURE_MODELS = ("llama-2-70b", "bloom-176b")
AZURE_START = 4

DAY_START = 8
"""Instances of each endpoint from which the paper starts its forecast-aware controllers."""

SCALE_REQUESTS = 10e6
SCALE_VMS = 150
"""VMs in a region [A]: the published 100 leave no room for a level of 1.4 on such a day."""

WEEKDAY_SPLITS = weekdays("monday", "tuesday", "friday"), weekdays("wednesday"), weekdays("thursday")


def _small_a100(name: str, models: tuple[str, ...], start: int, vms: int) -> World:
    """Some of the paper's models on few 8xA100 VMs in each of the three regions."""
    world = published_a100()
    return replace(
        world,
        name=name,
        regions=tuple(replace(region, vm_capacity={A100: vms}) for region in world.regions),
        models=tuple(model for model in world.models if model.name in models),
        pools=tuple(replace(pool, instances=dict.fromkeys(models, start)) for pool in world.pools),
    )


def _mini() -> Problem:
    days = weekdays("monday", "tuesday", "friday", "saturday"), weekdays("wednesday"), weekdays("thursday", "sunday")
    return Problem(
        "mini",
        IDS["mini"],
        "One model, Bloom-176B, in three small regions for a day",
        _small_a100("mini", (MINI_MODEL,), MINI_START, MINI_VMS),
        O365Source((MINI_MODEL,), MINI_SCALE),
        _splits(*days),
        control_interval_s=300.0,
        horizon_s=DAY_S,
    )


def _day() -> Problem:
    return Problem(
        "day",
        IDS["day"],
        "The paper's fleet, four models in three regions, for a weekday",
        published(DAY_START),
        O365Source(MEASURED_MODELS),
        _splits(*WEEKDAY_SPLITS),
        control_interval_s=300.0,
        horizon_s=DAY_S,
    )


def _week() -> Problem:
    splits = (
        Split("train", WHOLE_WEEK, Randomisation()),
        Split("validation", WHOLE_WEEK, variants=WEEK_VALIDATION_VARIANTS),
        Split("test", WHOLE_WEEK, variants=WEEK_TEST_VARIANTS),
    )
    summary = "The paper's fleet for its week, Monday to Sunday"
    return replace(_day(), name="week", id=IDS["week"], summary=summary, splits=splits, horizon_s=WEEK_S)


def _burst() -> Problem:
    train, validation, test = _day().splits
    splits = (
        replace(train, randomisation=Randomisation(burst_probability=1.0, burst_copies=(2.0, 12.0))),
        replace(validation, variants=tuple(replace(variant, burst_copies=BURST_COPIES) for variant in validation.variants)),
        replace(test, variants=tuple(replace(variant, burst_copies=BURST_COPIES) for variant in test.variants)),
    )
    summary = "The paper's fleet for a weekday with its bursts: the first minute of every hour comes eight more times"
    return replace(_day(), name="burst", id=IDS["burst"], summary=summary, splits=splits)


def _azure() -> Problem:
    randomisation = Randomisation(level=(0.7, 2.0), phase_s=(0.0, 0.0), burst_probability=0.0)
    return Problem(
        "azure",
        IDS["azure"],
        "Ten minutes of the Azure 2023 traces, replayed on two models and few VMs that all hold their model",
        _small_a100("azure", AZURE_MODELS, AZURE_START, AZURE_START * len(AZURE_MODELS)),
        AzureSource(AZURE_MODELS),
        (
            Split("train", azure_windows(0.0, {"conv": 2100.0, "code": 2100.0}), randomisation),
            Split("validation", azure_windows(2100.0, {"conv": 700.0, "code": 700.0}), variants=AZURE_VARIANTS),
            Split("test", azure_windows(2800.0, {"conv": 702.0, "code": 636.0}), variants=AZURE_VARIANTS),
        ),
        control_interval_s=30.0,
        horizon_s=600.0,
    )


def _scale2025() -> Problem:
    return replace(
        _day(),
        name="scale2025",
        id=IDS["scale2025"],
        summary="A weekday at the traffic of July 2025, ten million requests",
        fleet=replace(published(vm_capacity=SCALE_VMS), name="scale2025"),
        source=O365Source(MEASURED_MODELS, requests=SCALE_REQUESTS),
    )


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "mini": _mini,
    "day": _day,
    "week": _week,
    "burst": _burst,
    "azure": _azure,
    "scale2025": _scale2025,
}
"""Makers of all problems by name."""


@lru_cache(maxsize=len(IDS))
def _made(name: str) -> Problem:
    return PROBLEMS[name]().validated()


def load_problem(name: str) -> Problem:
    """A problem by its name.

    Args:
        name: ``"mini"``, ``"day"``, ``"week"``, ``"burst"``, ``"azure"`` or ``"scale2025"``, or the id of one.

    Raises:
        InputError: There is no such problem.

    Example:
        >>> load_problem("mini").id
        'SageServe/Mini-v0'
    """
    return _made(problem_name(name))
