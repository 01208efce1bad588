"""A workload that the user gives, in place of a problem's own traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sageserve_env.scenarios.perturbation import Perturbation, Shares
from sageserve_env.scenarios.sources.source import Window
from sageserve_env.workload.request import Workload
from sageserve_env.workload.transforms.compose import Composable, Transformed
from sageserve_env.workload.transforms.operations import Slice


@dataclass(frozen=True, repr=False)
class GivenSource:
    """A workload that the user gave, played once, as it is."""

    workload: Workload
    models: ClassVar[tuple[str, ...]] = ()
    is_cyclic: ClassVar[bool] = False

    def __repr__(self) -> str:
        """Its kind, name and length: what tells workloads apart, in any process."""
        return f"{type(self.workload).__name__} {self.workload.name!r} of {self.workload.duration_s:g} s"

    def window(self) -> Window:
        """All of it."""
        return Window("whole", 0.0, self.workload.duration_s, getattr(self.workload, "week_start_s", None) or 0.0)

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """The workload, perturbed only where an option scales it."""
        workload = self.workload
        if not isinstance(workload, Composable):
            workload = Transformed(workload, Slice(0.0, workload.duration_s))
        return perturbation.apply(workload, Shares({}, {}))
