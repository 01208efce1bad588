"""Search in hindsight for the cheapest schedule of an episode (``sageserve search``), and the policy that replays it: bounds."""

from baselines.search.plan import Plan, PlanPolicy, plans_by_episode, read_plans, write_plans
from baselines.search.search import Search, find

__all__ = ["Plan", "PlanPolicy", "Search", "find", "plans_by_episode", "read_plans", "write_plans"]
