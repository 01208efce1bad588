"""The table as a terminal and as a picture show it: policies down, conditions across."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sageserve_env.evaluation.generalisation.table import REFERENCE, Cell
from sageserve_env.pictures import label, new_figure, save_figure
from sageserve_env.tables import TextTable

MOST_SHOWN = 2.0
"""Dollars relative to the reference at which colours end, and one over it."""

COLOURS = "PuOr_r"
"""Diverging, distinct to colour-blind readers: orange costs more than the reference, purple less."""


def grid(cells: Sequence[Cell]) -> tuple[list[str], list[str], dict[tuple[str, str], Cell]]:
    """Policies, conditions, and the cell of each pair, in the order in which they come."""
    by_pair = {(cell.policy, cell.condition): cell for cell in cells}
    return list(dict.fromkeys(cell.policy for cell in cells)), list(dict.fromkeys(cell.condition for cell in cells)), by_pair


def generalisation_tables(cells: Sequence[Cell]) -> list[TextTable]:
    """The table, a row for each cell; and what failed."""
    table = TextTable("Beside reactive tuned there", ["condition", "policy"], ["dollars", "relative", "held"])
    failures = TextTable("What could not be played", ["condition", "policy", "why"], [])
    before = ""
    for cell in cells:
        name = cell.condition if cell.condition != before else ""
        before, policy = cell.condition, Path(cell.policy).name
        if cell.usd is None or cell.relative is None:
            table.add_row(name, policy, "failed", "–", "–")
            failures.add_row(cell.condition, policy, cell.failure)
        else:
            table.add_row(name, policy, f"{cell.usd:,.0f}", f"{cell.relative:.2f}", f"{cell.held} of {cell.episodes}")
    table.caption = untuned(cells) or None
    return [table, failures] if failures.rows else [table]


def untuned(cells: Sequence[Cell]) -> str:
    """Where the reference is not tuned, in words; empty where it is tuned everywhere."""
    names = list(dict.fromkeys(cell.condition for cell in cells if cell.reference == REFERENCE))
    return f"reactive is not tuned for {', '.join(names)}: there it is as it comes" if names else ""


def draw_heat_map(cells: Sequence[Cell], path: Path) -> Path:
    """Draw the table: colour is dollars beside the reference, a hatched cell missed a level in some episode, a grey one failed.

    Raises:
        MissingExtra: matplotlib is not installed.
        InputError: The picture cannot be written.
    """
    from matplotlib.patches import Rectangle

    policies, conditions, by_pair = grid(cells)
    figure = new_figure(path, (2.6 + 1.05 * len(conditions), 1.9 + 0.62 * len(policies)))
    axis = figure.subplots()
    values = np.array([[by_pair[policy, condition].relative or np.nan for condition in conditions] for policy in policies])
    axis.set_facecolor("0.85")
    image = axis.imshow(np.log2(values), cmap=COLOURS, vmin=-np.log2(MOST_SHOWN), vmax=np.log2(MOST_SHOWN), aspect="auto")
    for row, policy in enumerate(policies):
        for column, condition in enumerate(conditions):
            cell = by_pair[policy, condition]
            if cell.relative is not None and cell.held < cell.episodes:
                corner = (column - 0.5, row - 0.5)
                axis.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", edgecolor=(0, 0, 0, 0.25), lw=0))
            plate = {"boxstyle": "round,pad=0.15", "facecolor": (1, 1, 1, 0.75), "edgecolor": "none"}
            text = "failed" if cell.relative is None else f"{cell.relative:.2f}\n{cell.held} of {cell.episodes}"
            axis.text(column, row, text, ha="center", va="center", fontsize="small", bbox=plate)
    axis.set_xticks(range(len(conditions)), [label(condition) for condition in conditions], rotation=30, ha="right")
    axis.set_yticks(range(len(policies)), [label(Path(policy).name) for policy in policies])
    title = "dollars beside reactive tuned there, and episodes that held every level;\nhatched: some missed one"
    axis.set_title("\n".join(filter(None, (title, label(untuned(cells))))), fontsize="medium")
    bar = figure.colorbar(image, ax=axis, extend="both", label="dollars, times the reference's")
    ticks = np.array([1 / MOST_SHOWN, 2**-0.5, 1.0, 2**0.5, MOST_SHOWN])
    bar.set_ticks(np.log2(ticks).tolist(), labels=[f"{tick:.2g}" for tick in ticks])
    return save_figure(figure, path)
