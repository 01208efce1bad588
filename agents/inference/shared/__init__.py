"""A small policy with the same weights for each endpoint, written for one environment or many at once."""

from agents.inference.shared.policy import SharedPolicy

__all__ = ["SharedPolicy"]
