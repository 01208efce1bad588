"""What the server that forks a process for each policy has ready: the package, and the names of the installed policies.

All of the package: each forked process imports its parent's main module, and what that imports would take longer than an episode.
"""

from sageserve_env.evaluation.locked import evaluate as evaluate
from sageserve_env.evaluation.policy import installed_policies

installed_policies()
