"""The paper's controllers and bounds, as policies: see ``sageserve_env.evaluation.policy``."""

from baselines.reactive import ReactivePolicy
from baselines.static import StaticPolicy

__all__ = ["ReactivePolicy", "StaticPolicy"]
