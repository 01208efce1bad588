"""The report: the same rows as JSON, Markdown and HTML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from baselines.reproduction.figures import Figure
from baselines.reproduction.lab import Setting
from baselines.reproduction.rows import FACTOR, MEASURED, PARTS, VERDICTS, WATERFALL, WRITTEN, Row
from sageserve_env.evaluation.runs.result import versions
from sageserve_env.files.writing import write_text

RESULTS = "results.json"
TITLE = "Reproduction of the SageServe paper"
COLUMNS = ("claim", "unit", "paper", "ours", "ratio", "verdict", "cause")
NUMERIC = ("paper", "ours", "ratio")
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;width:100%;font-size:13px}th,td{padding:3px 8px;border-bottom:1px solid #ddd;text-align:left;
vertical-align:top}td.number,th.number{text-align:right;white-space:nowrap}tr.agrees td.verdict{color:#00694b}
tr.differs td.verdict{color:#a33b00}img{max-width:100%}figure{margin:2em 0}code{background:#f4f4f4;padding:1px 4px}"""


def write_report(rows: Sequence[Row], figures: Sequence[Figure], setting: Setting, folder: Path) -> None:
    """Write ``results.json``, ``report.md`` and ``report.html`` into a folder."""
    results = json.dumps([plain(row) for row in rows], indent=1, allow_nan=False)
    write_text(folder / RESULTS, results + "\n")
    write_text(folder / "report.md", markdown(rows, figures, setting))
    write_text(folder / "report.html", html(rows, figures, setting))


def plain(row: Row) -> dict[str, object]:
    """A row for JSON: what was not measured is null."""
    return {name: None if value != value else value for name, value in row.plain().items()}


PART_TEXTS = {
    MEASURED: "The authors' printed figures are of Tuesday, on A100, by rules that differ from their paper's, with instance-hours "
    "as the sum of each 15 minutes' peak and waste as a number of scale-outs. Here the same, on the recovered Tuesday at 1.063 of "
    "its requests.",
    WATERFALL: "From those rules to the paper's, one change on top of the other.",
    WRITTEN: "The paper's rules on the same day. Theta is that of a saturated instance of the VM type, if a row says no other.",
}


def by_part(rows: Sequence[Row]) -> dict[str, dict[str, list[Row]]]:
    """Rows by part and experiment, in order."""
    return {part: groups for part in PARTS if (groups := by_experiment([row for row in rows if row.part == part]))}


def by_experiment(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by experiment, in order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.experiment, []).append(row)
    return groups


def preface(rows: Sequence[Row], setting: Setting) -> list[str]:
    """What was run, how it is judged, and how it came out."""
    counts = Counter(row.agrees for row in rows)
    made = ", ".join(f"{name} {version}" for name, version in versions().items())
    command = f"sageserve reproduce --rows {','.join(by_experiment(rows))} {setting.arguments()}".strip()
    size = "at the published volume, whole days" if setting.is_full else f"cut down ({setting.arguments()})"
    return [
        f"Made by `{command}`, {size}, seed {setting.seed}; {made}.",
        f"A figure agrees where it has the paper's direction and is within a factor of {FACTOR:g} of it. Of {len(rows)} rows: "
        + ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
        + ". Rows without a published figure show what an explanation rests on.",
        "Instance-hours are given by two measures: *mean*, which is what is paid for, and *15-minute peaks*, which is what the "
        "authors print: of every quarter of an hour the most instances that were active at once. A cause stands beside a row that "
        "disagrees only where a run has shown it; its rows are named.",
    ]


def cells(row: Row) -> dict[str, str]:
    """A row of the table as text."""
    return {
        "claim": row.claim,
        "unit": row.unit,
        "paper": shown(row.paper),
        "ours": shown(row.ours),
        "ratio": shown(row.ratio),
        "verdict": row.agrees,
        "cause": row.cause,
    }


def shown(value: float | None) -> str:
    """A figure with three significant digits, whole where large; a dash for none.

    Example:
        >>> shown(362.25), shown(0.01234), shown(6456.5), shown(None)
        ('362', '0.0123', '6,456', '–')
    """
    if value is None or value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(rows: Sequence[Row], figures: Sequence[Figure], setting: Setting) -> str:
    """The report as Markdown."""
    lines = [f"# {TITLE}", ""]
    for paragraph in preface(rows, setting):
        lines += [paragraph, ""]
    for part, groups in by_part(rows).items():
        lines += [f"## {part.capitalize()}", "", PART_TEXTS[part], ""]
        for name, group in groups.items():
            lines += [f"### {name}", "", f"`{group[0].command}`", "", "| " + " | ".join(COLUMNS) + " |"]
            lines.append("|" + "|".join("---:" if column in NUMERIC else "---" for column in COLUMNS) + "|")
            lines += ["| " + " | ".join(cells(row)[column] for column in COLUMNS) + " |" for row in group] + [""]
    if figures:
        lines += ["## Figures", ""]
    for figure in figures:
        lines += [figure.caption, "", f"![{figure.caption}]({figure.file})", ""]
    return "\n".join(lines).rstrip() + "\n"


def html(rows: Sequence[Row], figures: Sequence[Figure], setting: Setting) -> str:
    """The report as one HTML page."""
    parts = [f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{TITLE}</title><style>{STYLE}</style></head>']
    parts.append(f"<body><h1>{TITLE}</h1>")
    parts += [f"<p>{escape(paragraph)}</p>" for paragraph in preface(rows, setting)]
    for part, groups in by_part(rows).items():
        parts.append(f"<h2>{escape(part.capitalize())}</h2><p>{escape(PART_TEXTS[part])}</p>")
        for name, group in groups.items():
            parts.append(f"<h3>{escape(name)}</h3><p><code>{escape(group[0].command)}</code></p><table>")
            parts.append("<tr>" + "".join(_cell("th", column, column) for column in COLUMNS) + "</tr>")
            parts += [_row(row) for row in group]
            parts.append("</table>")
    for figure in figures:
        caption = escape(figure.caption)
        parts.append(f'<figure><img src="{escape(figure.file)}" alt="{caption}"><figcaption>{caption}</figcaption></figure>')
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _row(row: Row) -> str:
    kind = row.agrees.split()[0]
    return f'<tr class="{kind}">' + "".join(_cell("td", column, text) for column, text in cells(row).items()) + "</tr>"


def _cell(tag: str, column: str, text: str) -> str:
    return f'<{tag} class="{"number" if column in NUMERIC else column}">{escape(text)}</{tag}>'
