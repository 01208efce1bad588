"""Commands on what is played: worlds, workloads and problems."""
