"""The paper's experiments, run anew: ``sageserve reproduce`` finds :func:`reproduce` through its entry point."""

from baselines.reproduction.run import reproduce

__all__ = ["reproduce"]
