"""What exists: regions, VM types, models, tiers, pools, prices, lead times and measured profiles.

A ``World`` is frozen data (``schema``). Take one from ``load_world`` by preset name or YAML path, or build it and ``validate`` it.
"""

from sageserve_env.world.figures import plot_profiles
from sageserve_env.world.files.loader import dump_world, load_world, parse_world
from sageserve_env.world.measured.profiles import authors_profile, evaluate, measured_profile
from sageserve_env.world.presets.published import (
    PRESETS,
    chiron,
    globe,
    golden_world,
    physical,
    published,
    published_a100,
    siloed,
)
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import (
    GIB,
    TIERS,
    Carbon,
    Dpa,
    Faults,
    IterationModel,
    LeadTimes,
    Model,
    NiwQueue,
    PlannedFailure,
    PlannedOutage,
    Pool,
    Power,
    Profile,
    Region,
    Routing,
    Scaling,
    Serving,
    Tier,
    TimeTable,
    VMType,
    World,
)

__all__ = [
    "GIB",
    "PRESETS",
    "TIERS",
    "Carbon",
    "Dpa",
    "Faults",
    "IterationModel",
    "LeadTimes",
    "Model",
    "NiwQueue",
    "PlannedFailure",
    "PlannedOutage",
    "Pool",
    "Power",
    "Profile",
    "Region",
    "Routing",
    "Scaling",
    "Serving",
    "Tier",
    "TimeTable",
    "VMType",
    "World",
    "authors_profile",
    "chiron",
    "dump_world",
    "evaluate",
    "globe",
    "golden_world",
    "load_world",
    "measured_profile",
    "parse_world",
    "physical",
    "plot_profiles",
    "published",
    "published_a100",
    "siloed",
    "validate",
]
