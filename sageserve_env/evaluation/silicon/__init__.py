"""Measured deployments, replayed through the simulator."""
