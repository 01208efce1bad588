"""Reinforcement-learning agents: trained by ``sageserve train`` (extra ``agents``), played with NumPy alone.

Example:
    >>> from agents import load_agent
    >>> load_agent("no-such-agent")
    Traceback (most recent call last):
    ...
    sageserve_env.errors.InputError: agent = 'no-such-agent' is no folder with a card.json; give such a folder, or ...
"""

from agents.inference.saved import load_agent

__all__ = ["load_agent"]
