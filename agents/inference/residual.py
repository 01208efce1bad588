"""A reference policy whose targets a network corrects: the reference decides from the telemetry, the network adds a few instances.

Such an agent is a controller: it is told telemetry and sets knobs. The network sees :func:`features` of both, and needs no PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.inference.mlp import Mlp
from sageserve_env.cli.policies.simulate import policy_options
from sageserve_env.errors import InputError, shown
from sageserve_env.evaluation.policy import Policy, check_policy, hushed, load_policy
from sageserve_env.scenarios.scenario import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry

DAY_S = 86_400.0


class Reference:
    """A reference policy in an episode: what it wants, and how that and the fleet look to a network.

    Args:
        text: Name of an installed policy, with options: ``"forecast-program:tuned=mini"``.

    Attributes:
        knobs: What it wants now.

    Raises:
        InputError: There is no such policy, or it is a bound, which is shown the traffic to come.
    """

    def __init__(self, text: str) -> None:
        name, *words = text.split(":")
        self._policy: Policy = load_policy(name, **policy_options(words, None))
        check_policy(self._policy)
        if hasattr(self._policy, "foresee"):
            raise InputError(f"residual = '{text}' is a bound, shown the traffic to come, and no controller; choose another policy")
        self.knobs: Knobs

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Begin an episode."""
        self._policy.reset(scenario, rng)
        self._week_start_s = float(getattr(scenario.workload, "week_start_s", 0.0))
        self._before: Telemetry | None = None

    def look(self, telemetry: Telemetry) -> NDArray[np.float32]:
        """Have it decide; returns what the network sees, see :func:`features`."""
        with hushed():
            self.knobs = self._policy.decide(telemetry)
        seen = features(telemetry, self._before, self.knobs, self._week_start_s)
        self._before = telemetry
        return seen

    def corrected(self, change: NDArray[np.integer[Any]]) -> Knobs:
        """What it wants, with ``change`` instances more of each fleet, shape (N * K,); zeros are exactly what it wants."""
        more = np.asarray(change, np.int32).reshape(self.knobs.floor.shape)
        floor, cap = (np.maximum(bound + more, 0).astype(np.int32) for bound in (self.knobs.floor, self.knobs.cap))
        return replace(self.knobs, floor=floor, cap=cap)


def features(now: Telemetry, before: Telemetry | None, knobs: Knobs, week_start_s: float) -> NDArray[np.float32]:
    """What a network that corrects sees: the time of day, the fleet, the last interval, and what the reference wants.

    Args:
        now: The fleet.
        before: The fleet an interval earlier; None at the start.
        knobs: Of the reference.
        week_start_s: Seconds from Monday 00:00 to the start of the episode.

    Returns:
        Shape (2 + 4 N K + 7 N + 7 R M,), of N endpoints, K VM types, R regions and M models; counts of requests as log(1 + count).
    """
    angle = 2.0 * np.pi * ((week_start_s + now.now_s) % DAY_S) / DAY_S
    fleet: list[NDArray[Any]] = [now.active, now.provisioning, knobs.floor, knobs.cap, now.utilization]
    last = [getattr(now, name) - (0 if before is None else getattr(before, name)) for name in ("arrived", "breached")]
    requests = [now.waiting, now.running, now.queued, *last]
    parts = [[np.sin(angle), np.cos(angle)], *(each.ravel() for each in fleet), *(np.log1p(each.ravel()) for each in requests)]
    return np.concatenate(parts).astype(np.float32)


class Residual:
    """A reference policy and the network that corrects it.

    Args:
        network: With the head ``"categorical"``: 2 m + 1 choices for each fleet, of which choice c adds c - m instances.
        reference: Name of an installed policy, with options.

    Raises:
        InputError: There is no such policy.
    """

    KIND: ClassVar[str] = "residual"
    name: ClassVar[str] = "residual"

    def __init__(self, network: Mlp, reference: str) -> None:
        self.network, self.reference = network, reference
        self._reference = Reference(reference)

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Begin an episode."""
        self._reference.reset(scenario, rng)
        self.network.reset(int(rng.integers(2**32)))

    def decide(self, telemetry: Telemetry) -> Knobs:
        """What the reference wants, corrected."""
        choices = self.network.act(self._reference.look(telemetry), None)
        return self._reference.corrected(choices - np.array(self.network.sizes) // 2)

    def sampling(self, is_sampled: bool) -> Residual:
        """The same with drawn corrections, or with the likeliest."""
        return Residual(self.network.sampling(is_sampled), self.reference)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights of the network."""
        return self.network.arrays()

    def settings(self) -> dict[str, Any]:
        """Those of the network, and the reference."""
        return {**self.network.settings(), "reference": self.reference}

    @classmethod
    def from_parts(cls, settings: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Residual:
        """The agent of its parts.

        Raises:
            InputError: A name, a shape or a value is not as it must be, or there is no such reference.
        """
        given = dict(settings)
        reference = given.pop("reference", None)
        if not isinstance(reference, str):
            raise InputError(f"reference = {shown(reference)}; give the name of a policy")
        network = Mlp.from_parts(given, arrays)
        if network.head != "categorical" or any(size % 2 == 0 for size in network.sizes):
            raise InputError(f"head = '{network.head}', sizes = {shown(network.sizes)} are no corrections; save the agent anew")
        return cls(network, reference)
