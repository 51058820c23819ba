"""Tables for a terminal, a pipe or a log: columns of plain text, as wide as what is in them."""

from collections.abc import Sequence

from tramontane.core.text import printable


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()) -> str:
    """The table, a line a row. Columns whose heads are in `numbers` stand to the right."""
    lines = [list(head), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if name in numbers else cell.ljust(width)
            for cell, width, name in zip(line, widths, head, strict=True)
        ).rstrip()
        for line in lines
    )
