"""Policies on problems: what an episode is worth, what a problem asks of a fleet, and the scores of its card."""
