"""Weights in, artifact out, from the side of a server: quick if it is there, else made by a child process.

The child gives its memory back when it ends, and a hostile file can take down nothing else.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tramontane.engines.openvino.artifacts import Job, artifact_path, find_artifact
from tramontane.errors import ModelStoreError
from tramontane.weights.artifact import Artifact
from tramontane.weights.quantization_setting import Quantization

CONVERSION = "tramontane.engines.openvino.conversion"
_ASK_SECONDS = 0.25
REFUSED = 3
"""Exit status of a conversion whose standard output is the reason for the user."""


def convert_in_subprocess(
    source: Path,
    cache_dir: Path,
    *,
    source_sha256: str | None = None,
    quantization: Quantization = "auto",
    adapter: Path | None = None,
    on_start: Callable[[], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> Artifact:
    """The artifact of the weights `source`, a GGUF file or a folder. Blocks while it is made.

    Args:
        source: never changed.
        cache_dir: may be read-only if the artifact is in it.
        source_sha256: of the weights or what they came in, if known; else path, size and time stand for them.
        quantization: in how many bits the matrices are kept.
        adapter: folder of a LoRA adapter that is worked into the weights.
        on_start: called if there is something to convert, before that begins.
        is_stopped: asked several times a second; the conversion is ended when it says so.

    Raises:
        ModelStoreError: the weights are missing, damaged or not supported, or the artifact cannot be written.
    """
    job = Job(source, source_sha256, quantization, adapter)
    path = artifact_path(job, cache_dir)
    if artifact := find_artifact(path):
        return artifact
    if on_start is not None:
        on_start()
    command = [sys.executable, "-P", "-m", CONVERSION, json.dumps(_arguments(job, cache_dir))]
    child = _run(command, is_stopped or (lambda: False))
    # A process that fails after its work is done, as native libraries do at times, has done it.
    if artifact := find_artifact(path):
        return artifact
    raise ModelStoreError(_reason(source, child))


def _run(command: list[str], is_stopped: Callable[[], bool]) -> "subprocess.CompletedProcess[bytes]":
    with subprocess.Popen(  # noqa: S603 - our own module, and no shell
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        try:
            while True:
                try:
                    output, errors = child.communicate(timeout=_ASK_SECONDS)
                except subprocess.TimeoutExpired:
                    if is_stopped():
                        raise ModelStoreError("The conversion was stopped.") from None
                else:
                    return subprocess.CompletedProcess(command, child.returncode, output, errors)
        finally:
            child.kill()


def _arguments(job: Job, cache_dir: Path) -> dict[str, str | None]:
    return {
        "source": str(job.source),
        "cache_dir": str(cache_dir),
        "sha256": job.sha256,
        "quantization": job.quantization,
        "adapter": str(job.adapter) if job.adapter else None,
    }


def _reason(source: Path, child: "subprocess.CompletedProcess[bytes]") -> str:
    if child.returncode == REFUSED:
        return child.stdout.decode(errors="replace").strip()
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        hint = "; perhaps memory ran out" if name == "SIGKILL" else ""
        return f"{source} cannot be converted: the conversion was ended by {name}{hint}"
    last_line = child.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return f"{source} cannot be converted: {last_line or f'exit status {child.returncode}'}"
