"""Outputs of the authors' simulator: reading them, running ours on the same requests, and comparing the two."""
