"""The two solvers: HiGHS and CBC, both through PuLP, on one thread, with a fixed seed, and silent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from sageserve_env.errors import InputError, shown
from sageserve_env.extras import need

pulp = need("pulp", "solver", "the integer program (and the policies that plan with it)")


@dataclass(frozen=True)
class Search:
    """How a solver searches.

    Attributes:
        solver: ``"highs"`` or ``"cbc"``.
        gap: Relative gap at which it may stop.
        gap_abs: Absolute gap at which it may stop.
        time_limit_s: Seconds after which it must.
    """

    solver: str
    gap: float
    gap_abs: float
    time_limit_s: float


class StartedHiGHS(pulp.HiGHS):  # type: ignore[name-defined]
    """PuLP's HiGHS, silent, which begins from the variables' values where they have any, as PuLP's CBC can."""

    def createAndConfigureSolver(self, lp: Any) -> None:
        """A solver with our options."""
        lp.solverModel = _silent_highs()
        for name, value in self.optionsDict.items():
            lp.solverModel.setOptionValue(name, value)

    def callSolver(self, lp: Any) -> None:
        """Hand over the start, then solve."""
        known = [variable for variable in lp.variables() if variable.varValue is not None]
        if known:
            index = np.array([variable.index for variable in known], np.int32)
            lp.solverModel.setSolution(len(known), index, np.array([variable.varValue for variable in known], np.float64))
        lp.solverModel.run()


def _silent_highs() -> Any:
    """HiGHS greets on standard output when the first one in a process sets its callbacks, which it does while it is made."""
    from highspy import Highs

    class SilentHighs(Highs):
        def enableCallbacks(self) -> None:
            self.silent()
            super().enableCallbacks()

    return SilentHighs()


def choose_solver(name: str | None) -> str:
    """``"highs"`` where highspy is installed, else ``"cbc"``, which PuLP ships; or the one that is asked for.

    Raises:
        InputError: The solver asked for is unknown or not there.
    """
    if name is not None and (not isinstance(name, str) or name not in ("highs", "cbc")):
        raise InputError(f"solver = {shown(name)} is not known; give 'highs', 'cbc' or None")
    installed = find_spec("highspy") is not None
    if name == "highs" and not installed:
        raise InputError("solver = 'highs' is not installed; run: pip install 'sageserve-env[solver]', or use 'cbc'")
    chosen = name or ("highs" if installed else "cbc")
    if chosen == "cbc" and not _solver(Search("cbc", 0.0, 0.0, 1.0)).available():
        raise InputError("solver = 'cbc' does not run on this machine; run: pip install 'sageserve-env[solver]' for HiGHS")
    return chosen


def solve(lp: Any, search: Search, again: bool) -> float | None:
    """Solve a problem, from its variables' values if ``again``; gives the relative gap, None where the solver does not tell."""
    lp.solve(_solver(search, again))
    return float(lp.solverModel.getInfo().mip_gap) if search.solver == "highs" else None


def _solver(search: Search, again: bool = False) -> Any:
    """One thread and a fixed seed: the same problem gives the same plan."""
    if search.solver == "highs":
        limits = {"mip_rel_gap": search.gap, "mip_abs_gap": search.gap_abs, "time_limit": search.time_limit_s}
        return StartedHiGHS(msg=False, output_flag=False, threads=1, random_seed=0, **limits)
    limits = {"gapRel": search.gap, "gapAbs": search.gap_abs, "timeLimit": search.time_limit_s}
    return pulp.PULP_CBC_CMD(msg=False, warmStart=again, **limits)  # without threads: asked for one, CBC at times waits 10 s for it


class Budget:
    """A time limit that several solves share; each may take a part of what is left, so that the next has some too."""

    PART = 0.55

    def __init__(self, seconds: float) -> None:
        self.start = time.perf_counter()
        self.end = self.start + seconds

    def next_s(self) -> float:
        """Seconds for the next solve: at least a millisecond, so that a solver always gets a legal limit."""
        return max(self.PART * (self.end - time.perf_counter()), 1e-3)

    def spent_s(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start
