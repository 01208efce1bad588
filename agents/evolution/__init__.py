"""Evolution over the shared policy: many candidates play the same episodes side by side, and the mean of the search is kept."""

from agents.evolution.evolve import evolve
from agents.evolution.settings import Settings, settings_for

__all__ = ["Settings", "evolve", "settings_for"]
