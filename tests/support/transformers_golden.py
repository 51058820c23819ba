"""What `transformers` computed for the cases, kept in `tests/golden/transformers_reference.json`."""

import base64
import json
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parents[1] / "golden" / "transformers_reference.json"
POSITIONS = (0, 3, 8, 12, 16, 19)
"""Of the prompt, after which the logits are kept."""

Answers = dict[str, dict[str, np.ndarray]]


def read_golden() -> Answers:
    """Logits of every decoder at `POSITIONS`, and vectors of every embedder, by kind and name."""
    return {
        kind: {name: _array(entry) for name, entry in by_name.items()}
        for kind, by_name in json.loads(GOLDEN.read_text())["answers"].items()
    }


def write_golden(answers: Answers, versions: str) -> None:
    """Keep what was answered just now."""
    kept = answers | {"decoders": {n: logits[list(POSITIONS)] for n, logits in answers["decoders"].items()}}
    document = {
        "made_by": f"scripts/golden_transformers.py with {versions}",
        "answers": {kind: {n: _entry(array) for n, array in one.items()} for kind, one in kept.items()},
    }
    GOLDEN.write_text(json.dumps(document, indent=1) + "\n")


def _entry(array: np.ndarray) -> dict:
    return {"shape": array.shape, "data": base64.b64encode(array.astype("<f4").tobytes()).decode()}


def _array(entry: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(entry["data"]), "<f4").reshape(entry["shape"])
