"""How many instances there are: the life of a VM, scaling, and what instances use."""
