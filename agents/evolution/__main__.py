"""``python -m agents.evolution --env ID --out DIR``: evolve the shared policy on a problem."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from agents.evolution.evolve import evolve
from agents.evolution.settings import ALGORITHMS, read_settings
from sageserve_env.errors import InputError
from sageserve_env.registration import problem_name


def main() -> int:
    """Evolve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m agents.evolution", description="Evolve the shared policy on a problem.")
    parser.add_argument("--env", default="SageServe/Mini-v0", metavar="ID", help="id of an environment")
    parser.add_argument("--algo", default="cma-es", choices=ALGORITHMS)
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML with settings that differ from those of the package")
    parser.add_argument("--seed", type=int, default=0, help="of proposals and episodes")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder; goes on from its log where it has one")
    given = parser.parse_args()
    try:
        problem = problem_name(given.env, "--env")
        evolve(problem, read_settings(given.algo, problem, given.config), given.out, given.seed, show)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def show(row: dict[str, Any]) -> None:
    """Print a generation."""
    words = [f"generation {row['generation']}: least {min(row['costs']):,.0f}, {row['usd']:,.0f} $, {row['feasible']:.0%} feasible"]
    if row.get("validation"):
        told = row["validation"]
        words.append(f"validation {told['usd']:,.0f} $, {told['feasible']} of {told['episodes']} feasible, worst {told['worst']}")
    print("; ".join([*words, f"{row['wall_s']:.0f} s ({row['cpu_s']:.0f} s CPU)"]), flush=True)


if __name__ == "__main__":
    sys.exit(main())
