"""`make bench-guard`: how many instructions fixed work takes, beside what it took before.

Times on a busy machine say little; instructions, counted by valgrind's callgrind, hardly change with what
else runs. More than the tolerance above the reference of `bench/guard.json` fails; `--keep` writes the
reference anew. Takes some minutes.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.fixed_work import CHUNKS, REQUESTS, STREAMS

REFERENCE: Final = Path(__file__).with_name("guard.json")
TOLERANCE: Final = 0.05
"""Two runs of the same differ by up to a fiftieth: what is read anew every few seconds falls differently."""
PARTS: Final = {"start": 1, "request": REQUESTS, "streamed chunk": STREAMS * CHUNKS}
"""In the order of `bench.fixed_work`, with what each counts."""


def count() -> dict[str, int]:
    """Instructions of one of each."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        subprocess.run(
            [
                *("valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}"),
                *(sys.executable, "-m", "bench.fixed_work"),
            ],
            env=os.environ | {"PYTHONHASHSEED": "0"},
            check=True,
        )
        return {
            name: _total(Path(f"{out}.{number}")) // times
            for number, (name, times) in enumerate(PARTS.items(), start=1)
        }


def _total(dump: Path) -> int:
    """A file for each thread, if there are several, and the total in each line of this name."""
    found = re.findall(r"^(?:totals|summary): (\d+)", dump.read_text(), re.MULTILINE)
    if not found:
        raise RuntimeError(f"{dump} has no total")
    return int(found[-1])


def main() -> int:
    """Measure, compare, say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="what is measured now becomes the reference")
    keep = parser.parse_args().keep
    if shutil.which("valgrind") is None:
        print("valgrind is not installed. On Debian and Ubuntu: apt install valgrind")
        return 2
    known = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {}
    place = f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}"
    before = known.get(place)
    if before is None and not keep:
        print(f"There is no reference for {place}: go to the commit to compare with, and measure with --keep")
        return 2
    now = count()
    worst = 0.0
    for name, instructions in now.items():
        ratio = instructions / before[name] if before else 1.0
        worst = max(worst, ratio)
        print(f"{name:16} {instructions:15,} instructions, {ratio:.3f} of the reference")
    if keep:
        REFERENCE.write_text(json.dumps(known | {place: now}, indent=2, sort_keys=True) + "\n")
        return 0
    if worst > 1 + TOLERANCE:
        print(f"Something takes more than {TOLERANCE:.0%} more than before.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
