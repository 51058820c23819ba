"""The `transformers` library in an environment of its own, behind `scripts/transformers_reference.py`."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tests.support.reference_cases import DECODERS, EMBEDDERS, PROMPT, TEXTS, write_decoder

SCRIPT = Path(__file__).parents[2] / "scripts" / "transformers_reference.py"
VARIABLE = "REFERENCE_PYTHON"
"""Names the interpreter of that environment; `make test-reference` makes it and sets this."""


def reference_python() -> str | None:
    return os.environ.get(VARIABLE)


def ask(python: str) -> dict[str, dict[str, np.ndarray]]:
    """Logits of every decoder and vectors of every embedder of the cases, by kind and name."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        request = {
            "prompt": PROMPT,
            "texts": TEXTS,
            "decoders": {name: str(write_decoder(name, root / f"d-{name}")) for name in DECODERS},
            "embedders": {name: str(write(root / f"e-{name}")) for name, write in EMBEDDERS.items()},
        }
        child = subprocess.run(
            [python, SCRIPT], input=json.dumps(request), capture_output=True, text=True, check=False
        )
    assert child.returncode == 0, child.stderr[-4000:]
    answer = json.loads(child.stdout)
    return {
        kind: {name: np.array(values, np.float32) for name, values in by_name.items()}
        for kind, by_name in answer.items()
    }
