"""Commands that check: the simulator, the paper, and the machine."""
