"""Workloads made of other workloads: scaled, sliced, shifted, mixed, perturbed."""
