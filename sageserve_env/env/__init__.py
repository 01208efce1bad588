"""What an agent sees and does: the fleet as a Gymnasium environment, single and vectorised."""

from sageserve_env.env.row import EnvSnapshot
from sageserve_env.env.single import FleetEnv
from sageserve_env.env.vector import VectorFleetEnv

__all__ = ["EnvSnapshot", "FleetEnv", "VectorFleetEnv"]
