"""A submission: a folder of its own with who it is, what its policy did, and nothing that runs."""
