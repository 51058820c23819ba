"""Fetches the browser libraries that the repository ships as files: `make vendor`.

npm fetches them, from whatever registry it is configured for. Versions and digests stand here: anybody
can see that the files are what their authors published. Without `--fetch` only the files are checked.
"""

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "src/tramontane/console/static/vendor"
FOR_TESTS = ROOT / "tests/vendor"


@dataclass(frozen=True)
class Library:
    """What is taken of an npm package."""

    package: str
    version: str
    licence: str
    files: dict[str, str]
    """Path in the package → SHA-256."""
    folder: Path = SHIPPED

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.package.rpartition("/")[0].lstrip("@") or self.package


LIBRARIES = (
    Library(
        "htmx.org",
        "2.0.11",
        "0BSD",
        {
            "dist/htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
            "LICENSE": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
        },
    ),
    Library(
        "uplot",
        "1.6.32",
        "MIT",
        {
            "dist/uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
            "dist/uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
            "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
        },
    ),
    Library(
        "marked",
        "18.2.1",
        "MIT",
        {
            "lib/marked.umd.js": "bb95d4c15f1289f78486eaacebf3bb18688475ed58a040ef762ed49337090542",
            "LICENSE": "8e3a3f82f59a60958f56ca08f445647c32a4733dc7ca6c2c46f6eb898471ab9c",
        },
    ),
    Library(
        "dompurify",
        "3.4.18",
        "MPL-2.0 OR Apache-2.0",
        {
            "dist/purify.min.js": "8053ee2a6a09f9d50f7fcd6fb7f07072f52c7f3fa9aa12147cab4feaf65ee970",
            "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
        },
    ),
    Library(
        "@highlightjs/cdn-assets",
        "11.12.0",
        "BSD-3-Clause",
        {
            "highlight.min.js": "8ab71eb09c51f501e5e25157d9cff100e46cc29bcbfc744d0b746d451fca7f53",
            "LICENSE": "6c081431591d9df696c82dc598fe1423765b8a299b200ed00b281afd0f64c490",
        },
    ),
    Library(
        "axe-core",
        "4.14.1",
        "MPL-2.0",
        {
            "axe.min.js": "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
            "LICENSE": "af175b9d96ee93c21a036152e1b905b0b95304d4ae8c2c921c7609100ba8df7e",
        },
        folder=FOR_TESTS,
    ),
)


def main() -> int:
    """Fetch if told to, then check; returns the number of wrong files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fetch", action="store_true", help="replace the files by what npm fetches")
    if parser.parse_args().fetch:
        for library in LIBRARIES:
            fetch(library)
    wrong = [str(path.relative_to(ROOT)) for path in wrong_files()]
    for path in wrong:
        print(f"{path} is not the file that was published", file=sys.stderr)
    return len(wrong)


def fetch(library: Library) -> None:
    """Put the wanted files of the package in its folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{library.package}@{library.version}"]
        packed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        with tarfile.open(Path(folder) / packed.stdout.split()[-1]) as archive:
            for name in library.files:
                content = archive.extractfile(f"package/{name}")
                assert content is not None
                target = path_of(library, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def wrong_files() -> list[Path]:
    """Those that are missing or are not what was published."""
    wanted = {path_of(one, name): digest for one in LIBRARIES for name, digest in one.files.items()}
    return [path for path, digest in wanted.items() if digest != _digest(path)]


def path_of(library: Library, name: str) -> Path:
    """Where a file of the package is kept."""
    return library.folder / library.name / Path(name).name


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
