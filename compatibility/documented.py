"""The documentation's blocks that need a heavy tool: fenced with ``python TOOL``, and run by that tool's tests."""

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"

BLOCK = re.compile(r"^```python ([\w-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_blocks(page: str, *labels: str) -> dict[str, Any]:
    """Run a page's blocks of some labels, in the order of the page; returns the names that they define."""
    blocks = [block for block in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")) if block[0] in labels]
    assert {label for label, _ in blocks} == set(labels), f"{page} has not all blocks of {labels}"
    names: dict[str, Any] = {"__name__": "page"}
    for label, text in blocks:
        exec(compile(text, f"{page}: {label}", "exec"), names)
    return names
