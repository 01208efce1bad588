"""What happens: the request-exact simulator. :class:`Simulator` is the only face that the rest of the package sees."""

from sageserve_env.sim.knobs import ADMISSION_ORDERS, Knobs
from sageserve_env.sim.simulator import Simulator

__all__ = ["ADMISSION_ORDERS", "Knobs", "Simulator"]
