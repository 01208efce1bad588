"""What the server that forks a process for each policy has ready: all of the package.

Each forked process imports its parent's main module, and what that imports would take longer than an episode.
"""

from sageserve_env.evaluation.locked import evaluate as evaluate
