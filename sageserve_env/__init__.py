"""SageServe as a Gymnasium environment: fleets of LLM servers, simulated request by request.

Importing this package is cheap: the simulator and everything that needs Numba, pandas or a plotting library load on first use,
from their own subpackages (``world``, ``workload``, ``sim``, ``evaluation``). It registers the environments' ids with Gymnasium.
"""

from sageserve_env.registration import register

__version__ = "0.1.0"

__all__ = ["__version__", "register"]

register()
