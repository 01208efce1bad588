"""Reinforcement-learning agents for sageserve_env: their training, tuned settings and trained checkpoints live here."""
