"""Tuning of reference policies on the validation split of a problem: ``sageserve tune``."""

from baselines.tuning.log import Log, Trial, read_log
from baselines.tuning.tune import Task, tune

__all__ = ["Log", "Task", "Trial", "read_log", "tune"]
