"""Write the table of Mini's observation into docs/environments.md: ``python docs/make_observation_tables.py``."""

from __future__ import annotations

import re
from pathlib import Path

from sageserve_env.env import FleetEnv

PAGE = Path(__file__).with_name("environments.md")
START, END = "<!-- observation of mini -->\n", "<!-- end of observation -->"


def pattern(name: str) -> str:
    """A feature's name with its place and its indices left open."""
    name = re.sub(r"^[^/]+/[^/]+/[^/]+/", "REGION/MODEL/POOL/", name)
    name = re.sub(r"^[^/]+/spare", "REGION/spare", name)
    name = re.sub(r"\[(IW-F|IW-N|NIW)", "[TIER", name)
    name = re.sub(r"\d+ intervals ago", "AGE intervals ago", name)
    return re.sub(r"(target|active|provisioning|draining|spot_same_model|spare)\[[^]]+\]", r"\1[VM TYPE]", name)


def table() -> str:
    """Each pattern of names once, in the order of the observation, with how many entries it stands for."""
    rows: dict[tuple[str, str, str, str], int] = {}
    for feature in FleetEnv(problem="mini").observation_features:
        key = (pattern(feature.name), feature.unit, feature.formula, f"{feature.low:g} to {feature.high:g}")
        rows[key] = rows.get(key, 0) + 1
    lines = ["| name | entries | unit | value | bounds |", "|---|---:|---|---|---|"]
    lines += [f"| `{name}` | {count} | {unit} | {formula} | {bounds} |" for (name, unit, formula, bounds), count in rows.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Replace what stands between the marks."""
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(head + START + table() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
