"""Problems: a world, a workload and a horizon (``Scenario``), and the named, versioned ones with their splits (``Problem``)."""

from sageserve_env.scenarios.catalog import PROBLEMS, load_problem
from sageserve_env.scenarios.perturbation import Perturbation, Randomisation
from sageserve_env.scenarios.problem import Problem
from sageserve_env.scenarios.scenario import Scenario
from sageserve_env.scenarios.splits import SPLITS, Episode, Split

__all__ = [
    "PROBLEMS",
    "SPLITS",
    "Episode",
    "Perturbation",
    "Problem",
    "Randomisation",
    "Scenario",
    "Split",
    "load_problem",
]
