"""docs/performance.md: prose by hand, and parts that benchmarks write."""

import re
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parent.parent / "docs" / "performance.md"


def write_part(name: str, text: str) -> None:
    """Put `text` between `<!-- measured: name -->` and `<!-- end -->`.

    Raises:
        ValueError: the page has no such part.
    """
    part = re.compile(rf"(<!-- measured: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    page, found = part.subn(lambda match: f"{match[1]}\n{text.strip()}\n\n{match[2]}", PAGE.read_text())
    if found != 1:
        raise ValueError(f"{PAGE} has {found} parts named {name}")
    PAGE.write_text(page)
