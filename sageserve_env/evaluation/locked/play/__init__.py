"""Episodes: what a policy is told and does in one, what is measured of it, and where many are played."""
