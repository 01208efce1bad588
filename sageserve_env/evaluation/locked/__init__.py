"""Locked evaluation: a policy in a process of its own plays the held-out episodes of a problem, by ``docs/protocol.md``."""
