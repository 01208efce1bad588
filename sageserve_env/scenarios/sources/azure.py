"""The Azure 2023 traces as the traffic of a problem."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from sageserve_env.scenarios.perturbation import Perturbation, Shares
from sageserve_env.scenarios.sources.source import Window
from sageserve_env.workload.catalog import AZURE_2023_WEEK_START_S, load_workload
from sageserve_env.workload.mapping import Mapping
from sageserve_env.workload.transforms.compose import Composable


def azure_windows(start_s: float, span_s: dict[str, float]) -> tuple[Window, ...]:
    """A window of each Azure trace, from the same second on, by lengths in seconds."""
    return tuple(Window(name, start_s, span_s[name], AZURE_2023_WEEK_START_S[name] + start_s) for name in span_s)


@dataclass(frozen=True)
class AzureSource:
    """The Azure 2023 traces, replayed request by request; their windows are named after them, ``conv`` and ``code``.

    Attributes:
        models: Models that the requests are spread over, in equal shares. The traces name none.
    """

    models: tuple[str, ...]
    is_cyclic: ClassVar[bool] = False

    def play(self, window: Window, perturbation: Perturbation, turns: int = 1) -> Composable:
        """The perturbed part of the trace; shares of models and tiers go into the labels, which the trace lacks."""
        shares = perturbation.shares(Shares(dict.fromkeys(self.models, 1 / len(self.models)), Mapping().tiers))
        trace = load_workload(f"azure2023-{window.name}", mapping=Mapping(shares.models, shares.tiers))
        # Sliced before anything is copied: no request of another split can come in.
        part = trace.slice(window.start_s, window.span_s)
        return replace(perturbation, models=(), tiers=()).apply(part, shares)
