"""Learning curves of several runs: interquartile mean over seeds with 95 % intervals, as a table and a figure.

``python -m agents.curves runs/mini runs/mini-target --reference reactive:tuned=mini --out runs/curves``

A run is a folder of ``sageserve train``, with a folder for each seed, or several folders of ``agents.single_file_ppo`` in one.
Scores are of the validation split, of the agents as they were at that step.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.common.log import LOG, curve_of, read_log
from agents.common.scoring import SPLIT
from sageserve_env.cli.errors import explanation, fail
from sageserve_env.cli.policies.simulate import policy_options
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import hushed, load_policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, play_policy
from sageserve_env.evaluation.statistics import bootstrap_interval, interquartile_mean
from sageserve_env.files.writing import write_text
from sageserve_env.pictures import new_figure, save_figure
from sageserve_env.registration import problem_name
from sageserve_env.scenarios import load_problem

RAW, CURVES, FIGURE = "raw.csv", "curves.csv", "curves.png"
"""Every evaluation; what they come to; the picture."""

SIZE_IN = (9.0, 4.0)


@dataclass(frozen=True)
class Run:
    """Seeds of one training.

    Attributes:
        name: In tables and figures.
        seeds: By the name of a seed's folder: its evaluations.
    """

    name: str
    seeds: dict[str, list[dict[str, Any]]]

    @classmethod
    def of(cls, folder: Path) -> Run:
        """From the logs in a folder.

        Raises:
            InputError: It has none, or none with an evaluation.
        """
        logs = sorted(folder.glob(f"*/{LOG}")) or sorted(folder.glob(LOG))
        seeds = {log.parent.name: curve for log in logs if (curve := curve_of(read_log(log)))}
        if not seeds:
            raise InputError(f"'{folder}' has no {LOG} with an evaluation; give a folder that sageserve train wrote")
        return cls(folder.name, seeds)

    @property
    def steps(self) -> list[int]:
        """Steps at which every seed was evaluated."""
        each = [{point["steps"] for point in curve} for curve in self.seeds.values()]
        return sorted(set.intersection(*each))

    def at(self, steps: int) -> list[dict[str, Any]]:
        """The evaluation of each seed after so many steps."""
        return [point for curve in self.seeds.values() for point in curve if point["steps"] == steps]


def curve_rows(run: Run) -> list[dict[str, Any]]:
    """What the seeds of a run come to, step by step."""
    rows = []
    for steps in run.steps:
        points = run.at(steps)
        usd = [point["usd"] for point in points]
        low, high = bootstrap_interval(interquartile_mean, usd)
        held = float(np.mean([point["feasible"] / point["episodes"] for point in points]))
        figures = {"usd_iqm": interquartile_mean(usd), "usd_low": low, "usd_high": high, "share_feasible": held}
        rows.append({"run": run.name, "steps": steps, "seeds": len(points), **figures})
    return rows


def raw_rows(run: Run) -> list[dict[str, Any]]:
    """Every evaluation of a run."""
    names = ("steps", "usd", "vm_usd", "breach_usd", "shortfall", "feasible", "episodes")
    return [
        {"run": run.name, "seed": seed, **{name: point[name] for name in names}}
        for seed, curve in run.seeds.items()
        for point in curve
    ]


def reference_usd(policy: str, problem: str) -> float:
    """Mean dollars of a reference policy on the validation split.

    Raises:
        InputError: There is no such policy or problem.
    """
    name, *words = policy.split(":")
    options = policy_options(words, None)
    env = FleetEnv(problem=problem, split=SPLIT)
    with hushed():
        episodes = load_problem(problem).split(SPLIT).held_out()
        usd = [play_policy(env, load_policy(name, **options), dict(each), EPISODE_SEED).usd for each in episodes]
    env.close()
    return float(np.mean(usd))


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Rows as CSV."""
    lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    write_text(path, "\n".join(lines) + "\n")


def draw(path: Path, rows: Sequence[dict[str, Any]], lines: dict[str, float]) -> None:
    """Dollars, and the share of episodes in which every level is held, over steps.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    figure = new_figure(path, SIZE_IN)
    dollars, held = figure.subplots(1, 2)
    for name in dict.fromkeys(row["run"] for row in rows):
        own = [row for row in rows if row["run"] == name]
        steps, usd, low, high, share = (
            np.array([row[key] for row in own]) for key in ("steps", "usd_iqm", "usd_low", "usd_high", "share_feasible")
        )
        (drawn,) = dollars.plot(steps, usd, label=f"{name}, {own[0]['seeds']} seed{'s' if own[0]['seeds'] > 1 else ''}")
        dollars.fill_between(steps, low, high, alpha=0.2, color=drawn.get_color(), linewidth=0)
        held.plot(steps, share, color=drawn.get_color())
    for k, (name, line) in enumerate(lines.items()):
        dollars.axhline(line, color="0.3", linestyle=("--", ":", "-.")[k % 3], linewidth=1, label=name)
    dollars.set(ylabel="dollars of a validation episode")
    dollars.yaxis.set_major_formatter("{x:,.0f}")
    held.set(ylabel="share of episodes with all levels held", ylim=(-0.02, 1.02))
    for axes in (dollars, held):
        axes.set_xlabel("environment steps, thousands")
        axes.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1000:,g}")
        axes.locator_params(axis="x", nbins=6)
    figure.legend(*dollars.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    save_figure(figure, path)


def main(words: list[str] | None = None) -> None:
    """Read the command line; write table, raw data and figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs")
    parser.add_argument("--env", default="SageServe/Mini-v0", help="id, for the references")
    parser.add_argument("--reference", action="append", default=[], help="a policy to play beside: NAME or NAME:tuned=PROBLEM")
    parser.add_argument("--out", type=Path, default=Path("runs/curves"), help="folder to write")
    given = parser.parse_args(words)
    try:
        write(given.runs, problem_name(given.env, "--env"), given.reference, given.out)
    except InputError as error:
        fail(explanation(error))


def write(folders: Sequence[Path], problem: str, references: Sequence[str], out: Path) -> None:
    """Write the curves of some runs beside some policies.

    Raises:
        InputError: A run or a policy cannot be used, or the folder cannot be written.
    """
    runs = [Run.of(folder) for folder in folders]
    lines = {name: reference_usd(name, problem) for name in references}
    rows = [row for run in runs for row in curve_rows(run)]
    out.mkdir(parents=True, exist_ok=True)
    write_table(out / RAW, [row for run in runs for row in raw_rows(run)])
    flat = {"steps": 0, "seeds": 0, "share_feasible": ""}
    beside = [{"run": name, **flat, "usd_iqm": usd, "usd_low": usd, "usd_high": usd} for name, usd in lines.items()]
    write_table(out / CURVES, [{name: row[name] for name in rows[0]} for row in [*rows, *beside]])
    draw(out / FIGURE, rows, lines)


if __name__ == "__main__":
    main()
