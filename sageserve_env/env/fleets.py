"""Fleets side by side, each at a step of an episode of its own: what is decided one by one is simulated at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from sageserve_env.env.config import config_from
from sageserve_env.env.core import Engine
from sageserve_env.env.observation.observe import Observer
from sageserve_env.env.row import FleetRow
from sageserve_env.env.setup import Setup, as_numbers
from sageserve_env.env.state import DONE
from sageserve_env.sim.knobs import Knobs


class Fleet(FleetRow):
    """One of several: it begins an episode, and is told what to do before all of them step."""

    def __init__(self, setup: Setup, engine: Engine, observer: Observer, row: int) -> None:
        super().__init__(setup, engine, observer, row, render_mode=None)

    @property
    def terms(self) -> NDArray[np.float64]:
        """The terms of the last interval in the order of ``rewards.TERMS``."""
        return self._engine.rows["terms"][self._index].copy()

    def begin(self, seed: int, options: dict[str, Any] | None = None) -> None:
        """Draw an episode and start it, as ``reset`` of an environment does.

        Raises:
            InputError: An option is unknown or cannot be used.
        """
        self.np_random = seeding.np_random(seed)[0]
        self._begin(options)

    def observation(self) -> Any:
        """What an agent sees now."""
        return self._observer.observation(self._index)

    def act(self, action: Any) -> None:
        """Act in the next step.

        Raises:
            InputError: The action is not in the action space.
        """
        self._engine.act(self._index, self.setup.checked(as_numbers(action)[None])[0])

    def follow(self, knobs: Knobs) -> None:
        """Have knobs in force in the next step, brought within what actions can reach.

        Args:
            knobs: They were checked against the world (``Knobs.validated``).
        """
        self._engine.adopt(self._index, knobs)


class Fleets:
    """Fleets of one problem, each bit-identical to a single environment that begins with the same seed.

    Args:
        n: How many.
        n_threads: Threads that simulate them.
        **config: Arguments of ``sageserve_env.env.config.Config``.

    Attributes:
        setup: The checked arguments.
        each: The fleets.

    Raises:
        InputError: An argument cannot be used.
        TypeError: An argument is unknown.
    """

    def __init__(self, n: int = 1, n_threads: int = 1, **config: Any) -> None:
        self.setup = Setup(config_from(config, Fleets))
        self._engine = Engine(self.setup.settings, n, n_threads)
        self._observer = self.setup.observer(self._engine)
        self.each = [Fleet(self.setup, self._engine, self._observer, row) for row in range(n)]

    def step(self) -> None:
        """Simulate the fleets that were told what to do to their next control instants; the others stay where they are."""
        is_told = self._engine.rows["row"]["phase"] != DONE
        self._engine.run()
        self._observer.update(is_told)

    def close(self) -> None:
        """Stop the threads."""
        self._engine.close()
