"""Write the generated parts of docs/ anew: `make docs`.

A page holds prose, written by hand, and blocks between `<!-- generated: name -->` and `<!-- end -->`, written
here. A test checks that the pages are what this would write.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from scripts.pages import compatibility, configuration, errors, limits, observability, structured_output

DOCS = Path(__file__).parent.parent / "docs"

Blocks = Mapping[str, Callable[[], str]]

PAGES: dict[str, Blocks] = {
    "compatibility.md": compatibility.BLOCKS,
    "configuration.md": configuration.BLOCKS,
    "errors.md": errors.BLOCKS,
    "limits.md": limits.BLOCKS,
    "observability.md": observability.BLOCKS,
    "structured-output.md": structured_output.BLOCKS,
}
"""The blocks of each page, and what writes them."""

BLOCK = re.compile(r"(<!-- generated: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, blocks: Blocks) -> str:
    """`page` with its blocks written anew; ValueError unless it has each of them once."""
    names = [match["name"] for match in BLOCK.finditer(page)]
    if sorted(names) != sorted(blocks):
        raise ValueError(f"the page has the blocks {sorted(names)}, and should have {sorted(blocks)}")
    return BLOCK.sub(lambda match: f"{match[1]}\n{blocks[match['name']]()}\n\n{match[3]}", page)


def main() -> None:
    """Write all pages."""
    for name, blocks in PAGES.items():
        path = DOCS / name
        path.write_text(filled(path.read_text(encoding="utf-8"), blocks), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
