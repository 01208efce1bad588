"""What the integer program is asked: arrays, copied and checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sageserve_env.errors import InputError, shown
from sageserve_env.world.checks import is_number, require

LARGEST = 1e18
"""Largest tokens/s and dollars: far beyond any fleet, and sums of them are finite."""

MOST = 10**9
"""Most VMs of a region and type, and most instances."""


@dataclass(frozen=True)
class PlanProblem:
    """What to plan. Arrays are copied, checked and kept in the types below.

    Attributes:
        instances: Current instances n, active or on their way, shape (I, J, K), whole numbers >= 0.
        demand: Forecast rho, input tokens/s in each window of the coming hour, shape (I, J, W), W >= 1.
        throughput: Sustainable input tokens/s of one instance, theta, shape (I, K); 0 where the model does not run on the type:
            such instances, if there are any, are given up.
        acquisition_cost: alpha, dollars that one instance of each type costs for the coming hour: the VM's price, shape (J, K), or
            (K,) where all regions have the same.
        startup_cost: sigma, dollars wasted by one start: the VM's price times the hours of provisioning, shape (I, J, K) or (I, K).
        capacity: VMs of each region and type, shape (J, K), whole numbers >= 0.
        minimum: Least instances of a model in a region, over all types: one number or shape (I, J); the paper: 2.
        epsilon: Share of its own load that a region must serve, 0 to 1. An assumption; the paper does not give it.

    Raises:
        InputError: A shape does not fit, or a value is negative, not finite or not whole.
    """

    instances: NDArray[np.int64]
    demand: NDArray[np.float64]
    throughput: NDArray[np.float64]
    acquisition_cost: NDArray[np.float64]
    startup_cost: NDArray[np.float64]
    capacity: NDArray[np.int64]
    minimum: int | NDArray[np.int64] = 2
    epsilon: float = 0.8

    def __post_init__(self) -> None:
        """Check and convert."""
        shape = np.shape(self.instances)
        if len(shape) != 3 or 0 in shape:
            raise InputError(f"instances has shape {shape}; give (models, regions, VM types), none of them 0")
        n_models, n_regions, n_types = shape
        windows = np.shape(self.demand)[2] if np.ndim(self.demand) == 3 else 0
        require(windows > 0, "demand", f"shape {np.shape(self.demand)}", "does not fit; give (models, regions, windows)")
        is_share = is_number(self.epsilon) and 0 <= self.epsilon <= 1
        require(is_share, "epsilon", self.epsilon, "is not a share; give 0 to 1")
        self._keep("instances", shape, whole=True)
        self._keep("demand", (n_models, n_regions, windows))
        self._keep("throughput", (n_models, n_types))
        self._keep("acquisition_cost", (n_types,) if np.ndim(self.acquisition_cost) == 1 else (n_regions, n_types))
        by_region = np.ndim(self.startup_cost) == 3
        self._keep("startup_cost", (n_models, n_regions, n_types) if by_region else (n_models, n_types))
        self._keep("capacity", (n_regions, n_types), whole=True)
        self._keep("minimum", () if np.ndim(self.minimum) == 0 else (n_models, n_regions), whole=True)

    def _keep(self, name: str, shape: tuple[int, ...], *, whole: bool = False) -> None:
        array = _checked(name, getattr(self, name), shape, whole)
        array.flags.writeable = False
        object.__setattr__(self, name, array if shape else int(array))

    def local_demand(self) -> NDArray[np.float64]:
        """Right side of the local constraint, tokens/s, shape (I, J)."""
        peak: NDArray[np.float64] = self.epsilon * self.demand.max(axis=2)
        return peak

    def global_demand(self) -> NDArray[np.float64]:
        """Right side of the global constraint, tokens/s, shape (I,)."""
        peak: NDArray[np.float64] = self.demand.sum(axis=1).max(axis=1)
        return peak

    def best_throughput(self) -> NDArray[np.float64]:
        """Tokens/s of an instance of each model on the VM type that serves it best, 1 where none does; shape (I,)."""
        best: NDArray[np.float64] = self.throughput.max(axis=1)
        return np.where(best > 0, best, 1.0)

    def acquisition_array(self) -> NDArray[np.float64]:
        """The acquisition cost by region, shape (J, K)."""
        return np.broadcast_to(self.acquisition_cost, self.instances.shape[1:])

    def startup_array(self) -> NDArray[np.float64]:
        """The start-up cost by region, shape (I, J, K)."""
        cost = self.startup_cost if self.startup_cost.ndim == 3 else self.startup_cost[:, None, :]
        return np.broadcast_to(cost, self.instances.shape)

    def minimum_array(self) -> NDArray[np.int64]:
        """The minimum for each model and region, shape (I, J)."""
        return np.broadcast_to(np.asarray(self.minimum, np.int64), self.instances.shape[:2])


def _checked(name: str, values: ArrayLike, shape: tuple[int, ...], whole: bool) -> NDArray[np.float64] | NDArray[np.int64]:
    """A copy of an input array, of the right shape, finite, not negative, and whole where it counts things."""
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} = {shown(values)} is no array of numbers; give shape {shape}") from None
    require(array.shape == shape, name, f"shape {array.shape}", f"does not fit; give {shape}")
    most = MOST if whole else LARGEST
    bad = ~((array >= 0) & (array <= most))
    if whole:
        bad |= array != np.floor(array)
    if bad.any():
        where = tuple(int(index) for index in np.argwhere(bad)[0])
        kind = "a whole number" if whole else "a number"
        raise InputError(f"{name}{list(where) or ''} = {array[where]} is not valid; give {kind}, 0 to {most:.0e}")
    return array.astype(np.int64) if whole else array
