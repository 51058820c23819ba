"""What an embedding model loses by rounding: `python -m bench.retrieval`, some minutes.

The set is Python's standard library, as installed: the first sentence of a docstring looks for the rest of it
among the rests of all the others.
"""

import argparse
import ast
import asyncio
import contextlib
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino as ov

from tramontane.bootstrap import prepare_models
from tramontane.cli.progress import preparation_progress
from tramontane.engines.openvino.convert import convert_in_subprocess
from tramontane.engines.openvino.engine import OpenVinoEmbeddingEngine
from tramontane.prompts.tokenizer import HuggingFaceTokenizer
from tramontane.settings import Settings, load_settings
from tramontane.weights.artifact import Artifact
from tramontane.weights.quantization_setting import Quantization

PAIRS = 1000
ROUNDS = 3
QUANTIZATIONS: Sequence[Quantization] = ("none", "int8", "int4")
_NOT_THE_LIBRARY = {"site-packages", "test", "tests", "idlelib", "lib2to3"}

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one form of the model."""

    name: str
    recall_at_1: float
    recall_at_10: float
    mean_reciprocal_rank: float
    lowest_cosine: float
    """To the vectors of the unrounded model in 32 bits."""
    speed: float
    """Over that of the unrounded model, in turn with it."""
    megabytes: float
    """Of the converted weights."""


def docstring_pairs(limit: int = PAIRS) -> list[tuple[str, str]]:
    """First sentence and rest, in an order that is the same each time."""
    found: dict[str, str] = {}
    for path in sorted(Path(os.__file__).parent.rglob("*.py")):
        if _NOT_THE_LIBRARY.isdisjoint(path.parts):
            for docstring in _docstrings(path):
                first, _, rest = (" ".join(part.split()) for part in docstring.partition("\n\n"))
                if 20 <= len(first) <= 200 and len(rest) >= 120:
                    found.setdefault(first, rest)
    pairs = list(found.items())
    random.Random(0).shuffle(pairs)
    return pairs[:limit]


def _docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield ast.get_docstring(node) or ""


def in_32_bits(artifact: Artifact, inputs: Sequence[Sequence[int]]) -> Vectors:
    """The vectors of the model as it is stored, one input at a time."""
    properties = {"INFERENCE_PRECISION_HINT": "f32"}
    model = ov.Core().compile_model(artifact.graph, "CPU", properties)
    return np.concatenate(
        [model({"input_ids": [list(ids)], "attention_mask": [[1] * len(ids)]})[0] for ids in inputs]
    )


async def measure(
    artifacts: dict[str, Artifact], inputs: Sequence[Sequence[int]], exact: Vectors
) -> list[Quality]:
    """Embed the first sentences and then their rests, which are the second half of `inputs`."""
    async with contextlib.AsyncExitStack() as stack:
        engines = {name: OpenVinoEmbeddingEngine(artifact) for name, artifact in artifacts.items()}
        for engine in engines.values():
            stack.push_async_callback(engine.close)
            await engine.start()
        # Each sees every shape once; then they work in turn.
        vectors = {name: await engine.embed(inputs) for name, engine in engines.items()}
        seconds: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(ROUNDS):
            for name, engine in engines.items():
                started = time.perf_counter()
                await engine.embed(inputs)
                seconds[name].append(time.perf_counter() - started)
    speed = {name: 1 / statistics.median(measured) for name, measured in seconds.items()}
    return [
        _quality(
            name,
            vectors[name],
            exact,
            speed[name] / speed["none"],
            artifact.graph.with_suffix(".bin").stat().st_size / 2**20,
        )
        for name, artifact in artifacts.items()
    ]


def _quality(name: str, vectors: Vectors, exact: Vectors, speed: float, megabytes: float) -> Quality:
    half = len(vectors) // 2
    ranks = _ranks(vectors[:half], vectors[half:])
    return Quality(
        name=name,
        recall_at_1=float(np.mean(ranks == 1)),
        recall_at_10=float(np.mean(ranks <= 10)),
        mean_reciprocal_rank=float(np.mean(1 / ranks)),
        lowest_cosine=float((vectors * exact).sum(axis=1).min()),
        speed=speed,
        megabytes=megabytes,
    )


def _ranks(queries: Vectors, documents: Vectors) -> npt.NDArray[np.int64]:
    """The place of each query's own document, from 1."""
    similarities = queries @ documents.T
    ranks: npt.NDArray[np.int64] = (similarities > np.diag(similarities)[:, None]).sum(axis=1) + 1
    return ranks


def table(settings: Settings) -> str:
    """The built-in model in every form, as Markdown."""
    with preparation_progress() as progress:
        prepared = prepare_models(settings, progress)
    plain = next(model.artifact for model in prepared if model.definition.task == "embed")
    pairs = docstring_pairs()
    texts = [*(first for first, _ in pairs), *(rest for _, rest in pairs)]
    tokenizer = HuggingFaceTokenizer.from_artifact(plain)
    inputs = tokenizer.encode_batch(texts, plain.manifest.max_context_length).token_ids
    exact = in_32_bits(plain, inputs)
    source = settings.cache_dir / "models" / "all-minilm-l6-v2"
    lines = [
        f"{len(pairs)} pairs, {sum(map(len, inputs)):,} tokens.",
        "",
        "| quantization | recall@1 | recall@10 | MRR | lowest cosine | weights | speed |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as cache:
        artifacts = {
            quantization: convert_in_subprocess(source, Path(cache), quantization=quantization)
            for quantization in QUANTIZATIONS
        }
        lines += map(_row, asyncio.run(measure(artifacts, inputs, exact)))
    return "\n".join(lines)


def _row(quality: Quality) -> str:
    return (
        f"| `{quality.name}` | {quality.recall_at_1:.3f} | {quality.recall_at_10:.3f} "
        f"| {quality.mean_reciprocal_rank:.4f} | {quality.lowest_cosine:.5f} "
        f"| {quality.megabytes:.0f} MB | {quality.speed:.2f} |"
    )


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(table(load_settings()))


if __name__ == "__main__":
    main()
