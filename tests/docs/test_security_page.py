"""Each claim of docs/security.md names a test that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::([\w:]+))?`")


def test_the_tests_that_it_names_are_there():
    named = NAMED.findall((ROOT / "docs/security.md").read_text())
    assert len(named) > 25
    missing = []
    for file, place in named:
        path = ROOT / file
        source = path.read_text() if path.exists() else ""
        names = place.split("::") if place else []
        if not source or not all(
            re.search(rf"^\s*(async def|def|class) {name}\b", source, re.MULTILINE) for name in names
        ):
            missing.append(f"{file}::{place}")
    assert missing == []
