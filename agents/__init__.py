"""Reinforcement-learning agents: ``agents.ppo`` trains a first one (extra ``agents``)."""
