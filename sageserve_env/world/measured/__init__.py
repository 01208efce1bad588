"""What was measured on real GPUs, and the tables that are made of it."""
