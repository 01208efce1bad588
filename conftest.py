"""Doctests of modules whose packages are not installed are left out: the agents' packages are large, and no test extra."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("stable_baselines3") else ["sageserve_env/adapters/sb3.py"]
