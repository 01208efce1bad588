"""Agents that act: networks in NumPy, and their form on disk. Nothing here needs PyTorch."""
