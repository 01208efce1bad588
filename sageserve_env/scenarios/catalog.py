"""The problems by name. Their model cards are in docs/scenarios.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import product

from sageserve_env.registration import IDS, problem_name
from sageserve_env.scenarios.fleets import BURST_VMS, MINI_MODEL, day_fleet, globe_fleet, mini_fleet, scale_fleet, storm_fleet
from sageserve_env.scenarios.perturbation import Perturbation, Randomisation
from sageserve_env.scenarios.problem import Problem
from sageserve_env.scenarios.sources import (
    DAY_S,
    WEEK_S,
    AzureSource,
    CurveSource,
    CurveWindow,
    O365Source,
    Peaks,
    Traffic,
    azure_windows,
    curve_days,
    curve_week,
    weekdays,
)
from sageserve_env.scenarios.splits import Split
from sageserve_env.workload.sources.o365_data import SUCCESSORS
from sageserve_env.world.measured.measurements import A100, MEASURED_MODELS
from sageserve_env.world.presets.globe import UTC_OFFSETS_H
from sageserve_env.world.presets.published import published, published_a100
from sageserve_env.world.schema import World

HOUR_S = 3600.0

VALIDATION_VARIANTS = (
    Perturbation(),
    Perturbation(level=0.85, phase_s=-HOUR_S),
    Perturbation(level=1.15, tiers=(("NIW", 1.2),)),
    Perturbation(phase_s=HOUR_S, noise=0.15, noise_seed=101),
    Perturbation(level=1.1, noise=0.2, noise_seed=102),
)

TEST_VARIANTS = (
    Perturbation(),
    Perturbation(level=0.8, phase_s=1.5 * HOUR_S, noise=0.1, noise_seed=201),
    Perturbation(level=1.2),
    Perturbation(phase_s=-1.5 * HOUR_S, tiers=(("IW-F", 1.2), ("NIW", 0.85))),
    Perturbation(level=1.1, noise=0.2, noise_seed=202),
)

AZURE_VARIANTS = (
    Perturbation(),
    Perturbation(level=0.8),
    Perturbation(level=1.25),
    Perturbation(level=1.5),
    Perturbation(level=2.0),
)
"""The first is the trace as it was recorded."""

AZURE_TEST_VARIANTS = (*AZURE_VARIANTS, *(Perturbation(level=level) for level in (0.7, 0.9, 1.1, 1.35, 1.75)))
"""Twice as many, as there are but two tests."""

ONE_DAY_VARIANTS = (
    *TEST_VARIANTS,
    *(
        Perturbation(level=level, phase_s=phase_h * HOUR_S, noise=0.15, noise_seed=203 + k)
        for k, (phase_h, level) in enumerate(product((-1, 0, 1), (0.8, 0.9, 1.0, 1.1, 1.2)))
    ),
)
"""Of a test split of one day: as many episodes as the others have on four."""

RANDOMISATION = Randomisation(level=(0.75, 1.3), burst_probability=0.0)
"""Of the train splits."""

CURVES = ("o365-a", "o365-b", "o365-c", "azure2024-code")
"""The weeks of which the days are made: each of the models follows each of them."""

TRAIN_DAYS, VALIDATION_DAYS, TEST_DAYS = ("monday", "tuesday", "wednesday"), ("thursday",), ("friday",)
"""In the order of time: no split has another's days in its past but those before it."""

TRAIN_WEEKS = ("o365-a", "o365-b", "o365-c", "servegen-m-small-1")
VALIDATION_WEEKS = ("azure2024-conv", "servegen-m-large-1", "azure2024-conv", "servegen-m-large-1")
TEST_WEEKS = ("azure2024-code", "servegen-m-large-2", "servegen-m-small-2", "azure2024-code")
"""No week of one split is in another."""

US_SHARES = (("westus", 0.5), ("centralus", 0.25), ("eastus", 0.25))
US_CLOCKS_S = (("centralus", 2 * HOUR_S), ("eastus", 3 * HOUR_S))
"""The paper's shares of a model's regions; the sun is earlier in the east."""

TIER_SHARES = (0.4, 0.25, 0.35)
"""IW-F and IW-N as in the paper; about a third is batch work."""

WORKING_HOURS = tuple(range(7, 20))

PROMPTS, REASONING = ("mooncake-prompt", 32_768), ("deepseek-r1-output", 16_384)
"""Long conversations, and answers that reason; cut at the context that is offered."""

ON_THE_HOUR = Peaks(3.0, 0.0, 600.0, WORKING_HOURS)
ON_THE_HALF_HOUR = Peaks(3.0, 1800.0, 600.0, WORKING_HOURS)
"""Assumption: what meetings that end and jobs that are scheduled bring, ten minutes in each working hour."""


def _rotations(curves: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Each of the curves in each place once; where they repeat, no rotation does."""
    return list(dict.fromkeys(curves[k:] + curves[:k] for k in range(len(curves))))


def _days(curves: tuple[str, ...], *days: str) -> tuple[CurveWindow, ...]:
    """Days on which the models follow the curves in every rotation."""
    return tuple(day for k, turned in enumerate(_rotations(curves)) for day in curve_days(turned, *days, suffix=f"-{k}"))


def _weeks(curves: tuple[str, ...]) -> tuple[CurveWindow, ...]:
    return tuple(curve_week(f"week-{k}", turned) for k, turned in enumerate(_rotations(curves)))


def _splits(
    train: tuple[CurveWindow, ...], validation: tuple[CurveWindow, ...], test: tuple[CurveWindow, ...]
) -> tuple[Split, ...]:
    """Splits by windows, with the usual perturbations."""
    return (
        Split("train", train, RANDOMISATION),
        Split("validation", validation, variants=VALIDATION_VARIANTS),
        Split("test", test, variants=TEST_VARIANTS),
    )


def _traffic(model: str, rate_per_s: float, peaks: Peaks) -> Traffic:
    return Traffic(model, rate_per_s, TIER_SHARES, US_SHARES, PROMPTS, REASONING, peaks)


def _mini() -> Problem:
    windows = [
        tuple(day for name in CURVES for day in curve_days((name,), *days, suffix=f"-{name}"))
        for days in (TRAIN_DAYS, VALIDATION_DAYS, TEST_DAYS)
    ]
    return Problem(
        "mini",
        IDS["mini"],
        "One model, Qwen3-32B, on single H100s in three regions for a weekday",
        mini_fleet(),
        CurveSource((_traffic(MINI_MODEL, 0.5, replace(ON_THE_HOUR, factor=4.0)),), US_CLOCKS_S),
        _splits(*windows),
        control_interval_s=300.0,
        horizon_s=DAY_S,
        breach_prices_usd=(0.4, 0.4, 0.4),
    )


def _day() -> Problem:
    traffic = (
        _traffic("llama-3.1-8b", 1.6, ON_THE_HOUR),
        _traffic("qwen3-32b", 0.9, ON_THE_HALF_HOUR),
        _traffic("llama-3.1-70b", 1.2, ON_THE_HOUR),
        _traffic("kimi-k2.5", 1.0, ON_THE_HALF_HOUR),
    )
    return Problem(
        "day",
        IDS["day"],
        "Four models that share three types of VMs in three regions, for a weekday",
        day_fleet(),
        CurveSource(traffic, US_CLOCKS_S),
        _splits(_days(CURVES, *TRAIN_DAYS), _days(CURVES, *VALIDATION_DAYS), _days(CURVES, *TEST_DAYS)),
        control_interval_s=300.0,
        horizon_s=DAY_S,
        breach_prices_usd=(0.4, 0.4, 0.4),
    )


def _week() -> Problem:
    return replace(
        _day(),
        name="week",
        id=IDS["week"],
        summary="The fleet of Day for a week, Monday to Sunday",
        splits=_splits(_weeks(TRAIN_WEEKS), _weeks(VALIDATION_WEEKS), _weeks(TEST_WEEKS)),
        horizon_s=WEEK_S,
    )


BURST_RATES = {"qwen3-32b": 0.7}
"""Less than Day's, so that a dozen instances serve its peaks."""


def _burst() -> Problem:
    day = _day()
    assert isinstance(day.source, CurveSource)
    traffic = tuple(
        replace(each, rate_per_s=BURST_RATES.get(each.model, each.rate_per_s), peaks=Peaks(4.5, start_s, 600.0, WORKING_HOURS))
        for each, start_s in zip(day.source.traffic, (0.0, 900.0, 1800.0, 2700.0), strict=True)
    )
    summary = "The models of Day under peaks of 4.5 times the traffic, one model after the other in each working hour"
    fleet, source = day_fleet("burst", BURST_VMS), replace(day.source, traffic=traffic)
    return replace(day, name="burst", id=IDS["burst"], summary=summary, fleet=fleet, source=source)


def _storm() -> Problem:
    summary = "The fleet of Day with failures, outages, evictions and lead times that nobody knows"
    prices = (1.0, 1.0, 1.0)
    return replace(_day(), name="storm", id=IDS["storm"], summary=summary, fleet=storm_fleet(), breach_prices_usd=prices)


GLOBE_SHARES = {
    "llama-3.1-8b": (("eastus2", 0.6), ("westus", 0.2), ("brazilsouth", 0.2)),
    "qwen3-32b": (("koreacentral", 0.5), ("australiaeast", 0.3), ("germanywestcentral", 0.2)),
    "llama-3.1-70b": (("westus", 0.6), ("eastus2", 0.2), ("brazilsouth", 0.2)),
    "kimi-k2.5": (("germanywestcentral", 0.6), ("eastus2", 0.2), ("koreacentral", 0.2)),
}
"""Assumption: a model has its users around one region, and some in two others; all six regions can serve it."""

GLOBE_CLOCKS_S = tuple((region, hours * HOUR_S) for region, hours in UTC_OFFSETS_H.items())


def _globe() -> Problem:
    day = _day()
    assert isinstance(day.source, CurveSource)
    traffic = tuple(replace(each, regions=GLOBE_SHARES[each.model]) for each in day.source.traffic)
    return replace(
        day,
        name="globe",
        id=IDS["globe"],
        summary="Four models in six regions round the globe: money, carbon and latency, with traffic that follows the sun",
        fleet=globe_fleet(),
        source=CurveSource(traffic, GLOBE_CLOCKS_S),
        breach_prices_usd=(0.6, 0.6, 0.6),
    )


AZURE_MODELS = ("llama-2-70b", "bloom-176b")
AZURE_START = 8
"""Instances of each endpoint at the start: a quarter serves the conversations as recorded, all of them twice the code traffic."""


AZURE_GRACE_S = 120.0
"""Ten minutes leave batch work no time to be late, so what is older than this at the end and was not served is."""


def _azure() -> Problem:
    randomisation = Randomisation(level=(0.7, 2.0), phase_s=(0.0, 0.0), burst_probability=0.0)
    return Problem(
        "azure",
        IDS["azure"],
        "Ten minutes of the Azure 2023 traces, replayed on two models and VMs that all hold their model",
        _small_a100("azure", AZURE_MODELS, AZURE_START, AZURE_START * len(AZURE_MODELS)),
        AzureSource(AZURE_MODELS),
        (
            Split("train", azure_windows(0.0, {"conv": 2100.0, "code": 2100.0}), randomisation),
            Split("validation", azure_windows(2100.0, {"conv": 700.0, "code": 700.0}), variants=AZURE_VARIANTS),
            Split("test", azure_windows(2800.0, {"conv": 702.0, "code": 636.0}), variants=AZURE_TEST_VARIANTS),
        ),
        control_interval_s=30.0,
        horizon_s=600.0,
        niw_grace_s=AZURE_GRACE_S,
    )


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


PAPER_START = 8
"""Instances of each endpoint from which the paper starts its forecast-aware controllers."""

PAPER_PRICES_USD = (4.5, 4.5, 4.5)
"""Three times what leaving a request late saves on the paper's fleet."""

WEEKDAY_SPLITS = tuple(
    Split(name, weekdays(*days), RANDOMISATION if name == "train" else None, () if name == "train" else variants)
    for name, days, variants in (
        ("train", TRAIN_DAYS, ()),
        ("validation", VALIDATION_DAYS, VALIDATION_VARIANTS),
        ("test", TEST_DAYS, ONE_DAY_VARIANTS),
    )
)


def _paper() -> Problem:
    return Problem(
        "paper",
        IDS["paper"],
        "The paper's fleet and traffic, four models in three regions on 8xH100, for a weekday",
        published(PAPER_START),
        O365Source(MEASURED_MODELS),
        WEEKDAY_SPLITS,
        control_interval_s=300.0,
        horizon_s=DAY_S,
        breach_prices_usd=PAPER_PRICES_USD,
    )


SCALE_REQUESTS = 10e6


def _scale2025() -> Problem:
    return Problem(
        "scale2025",
        IDS["scale2025"],
        "A weekday at the traffic of July 2025, ten million requests, on today's engines",
        scale_fleet(),
        O365Source(MEASURED_MODELS, requests=SCALE_REQUESTS, renamed=tuple(SUCCESSORS.items())),
        WEEKDAY_SPLITS,
        control_interval_s=300.0,
        horizon_s=DAY_S,
        breach_prices_usd=PAPER_PRICES_USD,
    )


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "mini": _mini,
    "day": _day,
    "week": _week,
    "burst": _burst,
    "storm": _storm,
    "globe": _globe,
    "azure": _azure,
    "paper": _paper,
    "scale2025": _scale2025,
}
"""Makers of all problems by name."""


@lru_cache(maxsize=len(IDS))
def _made(name: str) -> Problem:
    return PROBLEMS[name]().validated()


def load_problem(name: str) -> Problem:
    """A problem by its name.

    Args:
        name: A name such as ``"mini"`` (``PROBLEMS`` has them all), or the id of one.

    Raises:
        InputError: There is no such problem.

    Example:
        >>> load_problem("mini").id
        'SageServe/Mini-v0'
    """
    return _made(problem_name(name))
