"""Make the notebook of the first tutorial from its page, and run it; needs nbclient and ipykernel, which no extra has.

Run it as ``python docs/make_notebook.py``. It plays in an empty folder, and keeps what the cells print.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "tutorials" / "1-train-on-mini.md"
NOTEBOOK = PAGE.with_name("train_on_mini.ipynb")

BLOCK = re.compile(r"^```(\w+)(?: ([\w.-]+\.\w+))?\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
RUN = {"python", "sh"}


def cells(text: str) -> list[tuple[str, str]]:
    """Kinds and sources of the cells of a page: its blocks that run are code, files are written, all else is text."""
    found, begin = [], 0
    for block in BLOCK.finditer(text):
        language, file, source = block.groups()
        if not file and language not in RUN:
            continue
        found.append(("markdown", text[begin : block.start()]))
        begin = block.end()
        if file:
            source = f"%%writefile {file}\n{source}"
        elif language == "sh":
            source = f"%%sh\n{source}"
        found.append(("code", source))
    return [(kind, source.strip()) for kind, source in [*found, ("markdown", text[begin:])] if source.strip()]


def notebook(page: Path = PAGE) -> dict[str, Any]:
    """A notebook in version 4.5 of Jupyter's format, without outputs."""
    made = []
    for k, (kind, source) in enumerate(cells(page.read_text(encoding="utf-8"))):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{k}", "metadata": {}, "source": source.splitlines(keepends=True)}
        made.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def played(made: dict[str, Any]) -> dict[str, Any]:
    """The notebook with what its cells print, but for colours and bars of progress."""
    import nbformat
    from nbclient import NotebookClient

    os.environ["TTY_COMPATIBLE"] = "0"  # kernels tell commands that they have a terminal; this says otherwise
    ready = nbformat.reads(json.dumps(made), as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        told = {"timeout": 600, "record_timing": False, "coalesce_streams": True}
        NotebookClient(ready, resources={"metadata": {"path": folder}}, **told).execute()
    done: dict[str, Any] = json.loads(nbformat.writes(ready))
    done["metadata"] = made["metadata"]
    return done


def main() -> None:
    """Write the notebook."""
    NOTEBOOK.write_text(json.dumps(played(notebook()), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
