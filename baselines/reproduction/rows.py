"""A row of the report: what the paper claims, what came out here, and whether the two agree."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

FACTOR = 1.5
"""Sizes agree within this factor."""

AGREES, SIZE_DIFFERS, DIFFERS, UNPUBLISHED = "agrees", "direction agrees, size differs", "differs", "no published figure"
VERDICTS = (AGREES, SIZE_DIFFERS, DIFFERS, UNPUBLISHED)

UNEXPLAINED = "not explained"

MEASURED, WATERFALL, WRITTEN = "as measured", "waterfall", "as written"
PARTS = (MEASURED, WATERFALL, WRITTEN)
"""Parts of the report: the authors' runs by their rules and measures; from those rules to the paper's, one by one; the latter."""


@dataclass(frozen=True)
class Row:
    """One figure of the paper beside ours.

    Attributes:
        row: Unique name; its first part is the experiment that measures it.
        claim: What is measured, in words.
        unit: Of both figures.
        paper: The paper's figure; None where it gives none.
        ours: Measured; None where nothing was there to measure.
        kind: How to compare: ``"change"`` (signed, against a baseline: the sign is the direction), ``"level"`` (a size without a
            direction), ``"limit"`` (less is fine: times) or ``"no more"`` (the paper says that it is not above 0).
        cause: Why ours disagrees, where it does: what a run has shown, with the row that shows it, or ``UNEXPLAINED``.
        command: What measures it anew.
        part: One of ``PARTS``.
    """

    row: str
    claim: str
    unit: str
    paper: float | None
    ours: float | None
    kind: str = "level"
    cause: str = ""
    command: str = ""
    part: str = ""

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return self.row.split("/")[0]

    @property
    def ratio(self) -> float | None:
        """Ours over the paper's, where both are there."""
        return self.ours / self.paper if self.paper and self.ours is not None else None

    @property
    def agrees(self) -> str:
        """One of ``VERDICTS``."""
        if self.kind == "no more":
            return AGREES if self.ours is not None and self.ours <= 0 else DIFFERS
        if self.paper is None:
            return UNPUBLISHED
        if self.ours is None or self.ratio is None:
            return DIFFERS
        if self.kind == "limit":
            return AGREES if self.ratio <= FACTOR else DIFFERS
        if 1 / FACTOR <= self.ratio <= FACTOR:
            return AGREES
        return SIZE_DIFFERS if self.kind == "change" and self.ratio > 0 else DIFFERS

    def plain(self) -> dict[str, Any]:
        """As ``results.json`` holds it."""
        return {"experiment": self.experiment, **asdict(self), "ratio": self.ratio, "agrees": self.agrees}


def percent(value: float, base: float) -> float | None:
    """Change against a baseline in percent; None where the baseline is 0.

    Example:
        >>> percent(277.5, 362.25)
        -23.4...
    """
    return 100 * (value / base - 1) if base else None
