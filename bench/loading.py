"""How much memory and time it takes to load a large model: `python -m bench.loading 1b 3b`.

Writes models of the shapes of Llama 3.2 1B and Ministral 3 3B with random weights of 16 bits, converts them
in a process of their own and starts an engine on what comes of it. Needs disk for three times the weights.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import get_args

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.engines.openvino.convert import convert_in_subprocess
from tramontane.engines.openvino.engine import OpenVinoGenerationEngine
from tramontane.weights.artifact import Artifact
from tramontane.weights.quantization_setting import Quantization

_POOL = 1 << 24
"""Random numbers, used again and again from another place on."""
_KV_CACHE_TOKENS = 4096
_MB = 1 << 20


@dataclass(frozen=True)
class Shape:
    """Of a decoder with tied embeddings."""

    hidden_size: int
    feed_forward_size: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary_size: int

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Names and shapes."""
        hidden, queries, keys = self.hidden_size, self.heads * self.head_size, self.kv_heads * self.head_size
        yield "model.embed_tokens.weight", (self.vocabulary_size, hidden)
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}."
            yield prefix + "self_attn.q_proj.weight", (queries, hidden)
            yield prefix + "self_attn.k_proj.weight", (keys, hidden)
            yield prefix + "self_attn.v_proj.weight", (keys, hidden)
            yield prefix + "self_attn.o_proj.weight", (hidden, queries)
            yield prefix + "mlp.gate_proj.weight", (self.feed_forward_size, hidden)
            yield prefix + "mlp.up_proj.weight", (self.feed_forward_size, hidden)
            yield prefix + "mlp.down_proj.weight", (hidden, self.feed_forward_size)
            yield prefix + "input_layernorm.weight", (hidden,)
            yield prefix + "post_attention_layernorm.weight", (hidden,)
        yield "model.norm.weight", (hidden,)


SHAPES = {
    "1b": Shape(2048, 8192, 16, 32, 8, 64, 128_256),
    "3b": Shape(3072, 9216, 26, 32, 8, 128, 131_072),
}


def write_random_model(folder: Path, shape: Shape) -> Path:
    """A Hugging Face folder in BF16."""
    folder.mkdir()
    config = {
        "model_type": "llama",
        "vocab_size": shape.vocabulary_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.feed_forward_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
        "eos_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config))
    _byte_tokenizer().save(str(folder / "tokenizer.json"))
    header: dict[str, object] = {}
    position = 0
    for name, size in shape.tensors():
        end = position + 2 * int(np.prod(size))
        header[name] = {"dtype": "BF16", "shape": size, "data_offsets": [position, end]}
        position = end
    encoded = json.dumps(header).encode()
    pool = np.random.default_rng(0).normal(0, 0.02, _POOL).astype(np.float32)
    halves = (pool.view(np.uint32) >> 16).astype(np.uint16)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for number, (_, size) in enumerate(shape.tensors()):
            left, start = int(np.prod(size)), number * 997  # equal tensors would be written once
            while left:
                count = min(left, _POOL - start)
                halves[start : start + count].tofile(file)
                left, start = left - count, 0
    return folder


def _byte_tokenizer() -> Tokenizer:
    alphabet = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({text: i for i, text in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer


class PeakOfChildren:
    """The largest memory of its own (not files) that a child of this process has had, looked at often."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._done = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakOfChildren":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            children = Path("/proc/self/task").glob("*/children")
            for pid in " ".join(_text(path) for path in children).split():
                self.megabytes = max(self.megabytes, own_megabytes(int(pid)))


def own_megabytes(pid: int) -> float:
    """Memory of a process that no file stands behind."""
    for line in _text(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


async def _load(artifact: Artifact) -> tuple[float, float, float]:
    """Seconds to be ready, seconds to the first token, and the worker's own megabytes then."""
    engine = OpenVinoGenerationEngine(artifact, kv_cache_tokens=_KV_CACHE_TOKENS)
    started = time.perf_counter()
    await engine.start()
    ready = time.perf_counter()
    async for _ in engine.generate(
        TokensPrompt(tuple(range(1, 65))), SamplingParams(max_tokens=2, temperature=0)
    ):
        pass
    first = time.perf_counter()
    assert engine.worker_pid is not None
    megabytes = own_megabytes(engine.worker_pid)
    await engine.close()
    return ready - started, first - ready, megabytes


def measure(root: Path, name: str, quantizations: Sequence[Quantization]) -> None:
    """Print a line of a table for each quantization."""
    folder = write_random_model(root / name, SHAPES[name])
    weights = (folder / "model.safetensors").stat().st_size / _MB
    for quantization in quantizations:
        started = time.perf_counter()
        with PeakOfChildren() as peak:
            artifact = convert_in_subprocess(folder, root / "cache", quantization=quantization)
        converted = time.perf_counter() - started
        size = artifact.graph.with_suffix(".bin").stat().st_size / _MB
        ready, first, megabytes = asyncio.run(_load(artifact))
        cells = (
            name,
            f"{weights:.0f} MB",
            quantization,
            f"{size:.0f} MB",
            f"{converted:.0f} s",
            f"{peak.megabytes:.0f} MB",
            f"{peak.megabytes / size:.2f}",
            f"{ready:.1f} s",
            f"{first:.2f} s",
            f"{megabytes:.0f} MB",
        )
        print("|", " | ".join(cells), "|", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shapes", nargs="+", choices=SHAPES)
    parser.add_argument("--quantization", action="append", choices=get_args(Quantization))
    parser.add_argument("--folder", type=Path, help="for the models; a temporary one else")
    arguments = parser.parse_args()
    print("| shape | weights | quantization | converted | time | peak memory | peak / converted ", end="")
    print("| ready | first token | worker's memory |")
    print("|---" * 10 + "|")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as root:
        for name in arguments.shapes:
            measure(Path(root), name, arguments.quantization or ["none", "int8", "int4"])


if __name__ == "__main__":
    main()
