"""Fill in the tables of scores of docs/scenarios.md, as ``sageserve problem card`` prints them.

Run it as ``python docs/make_cards.py`` for all problems, or name some: ``... mini day``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sageserve_env.evaluation.problems.card import card_rows, demands, markdown
from sageserve_env.registration import IDS
from sageserve_env.scenarios import load_problem

PAGE = Path(__file__).with_name("scenarios.md")
PLANS = Path(__file__).parents[1] / "baselines" / "plans"


ASKED = ("mini", "day", "week", "burst", "storm", "globe")
"""Problems whose cards say what they ask of a fleet."""


def put(page: str, problem: str, text: str) -> str:
    """The page with what stands between the marks of a problem replaced."""
    start, end = f"<!-- scores of {problem} -->\n", f"<!-- end of {problem} -->"
    head, _, rest = page.partition(start)
    _, _, tail = rest.partition(end)
    if not tail:
        raise SystemExit(f"{PAGE} has no marks {start.strip()} and {end}")
    return f"{head}{start}{text}\n{end}{tail}"


def main() -> None:
    """Play, and rewrite the page after each problem."""
    for problem in sys.argv[1:] or IDS:
        plans = PLANS / f"{problem}.json"
        rows = list(card_rows(load_problem(problem), str(plans) if plans.exists() else None))
        text = markdown(rows)
        if problem in ASKED:
            text += f"\n\n{demands(load_problem(problem))}"
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), problem, text), encoding="utf-8")
        print(problem, flush=True)


if __name__ == "__main__":
    main()
