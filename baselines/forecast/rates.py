"""Arrivals of a workload as series, which forecasters are fitted on; the environments count them in the same way."""

from sageserve_env.workload.rates import INTERACTIVE, token_rates

__all__ = ["INTERACTIVE", "token_rates"]
