"""Tables for the terminal. Whatever a cell, a heading or a title holds is text: no markup, no emoji, no control characters."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from sageserve_env.errors import printable


class TextTable(Table):
    """An empty table: columns of text on the left, of numbers on the right.

    Args:
        title: Above it.
        names: Headings of text; long text is folded.
        numbers: Headings of numbers.
        gap: Spaces between columns.
    """

    def __init__(self, title: str, names: Sequence[str], numbers: Sequence[str], gap: int = 2) -> None:
        super().__init__(
            title=plain(title),
            title_justify="left",
            title_style="bold",
            caption_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, gap, 0, 0),
        )
        for name in names:
            self.add_column(plain(name), overflow="fold")
        for name in numbers:
            self.add_column(plain(name), justify="right", no_wrap=True)

    def add_row(self, *cells: RenderableType | None, **style: object) -> None:
        """A row; see :meth:`rich.table.Table.add_row`."""
        super().add_row(*(plain(cell) if isinstance(cell, str) else cell for cell in cells), **style)  # type: ignore[arg-type]


def plain(text: str) -> Text:
    """Lines of text as they are; a line break of ours stays, other control characters are escaped."""
    return Text("\n".join(printable(line) for line in text.split("\n")))
