"""`make bench`: measure this machine in some minutes and write its part of docs/performance.md.

`--only SECTION` measures one section and prints it; the page stays as it is.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bench import embeddings, floor, peers
from bench.document import write_part
from bench.keystrokes import type_and_wait
from bench.page import Figures, inference_sections, render
from bench.random_gguf import write_random_gguf
from bench.servers import bare_loop, resident_megabytes, tramontane
from bench.streams import compare, first_token_seconds
from tramontane.bootstrap import PreparedModels, prepare_models
from tramontane.cli.progress import preparation_progress
from tramontane.settings import Settings, load_settings

IMAGES = Path(__file__).parent.parent / "docs" / "images"
PROMPT_NUMBERS = (2, 90, 800)
"""Numbers in a prompt; each takes about five tokens."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What every section measures with."""

    settings: Settings
    prepared: PreparedModels
    rounds: int
    writes: bool
    """The page, and its pictures."""


async def measure_inference(machine: Machine) -> str:
    """The server beside the bare engine loop, with the built-in chat model."""
    chat = next(model for model in machine.prepared if model.definition.task == "generate")
    rounds = machine.rounds
    cold_start = await _cold_start(machine.settings)
    async with (
        tramontane() as server,
        bare_loop(chat.artifact.path, machine.settings.kv_cache_tokens) as bare,
    ):
        idle = resident_megabytes(server.pid)
        first_tokens = [await first_token_seconds(server, numbers, rounds) for numbers in PROMPT_NUMBERS]
        keystrokes = await type_and_wait(server, rounds)
        comparisons = [await compare(server, bare, chat, streams, rounds) for streams in (1, 4, 16)]
        figures = inference_sections(
            Figures(
                rounds=rounds,
                comparisons=comparisons,
                first_tokens=first_tokens,
                keystrokes=keystrokes,
                warm_start=server.start_seconds,
                cold_start=cold_start,
                idle=idle,
                busy=resident_megabytes(server.pid),
            )
        )
    tokens, seconds = first_tokens[-1]
    limit = floor.section(chat.artifact, statistics.median(comparisons[0].served), tokens / seconds)
    return f"{figures}\n{limit}"


async def measure_embeddings(machine: Machine) -> str:
    """The server and its engine beside sentence-transformers."""
    model = next(model for model in machine.prepared if model.definition.task == "embed")
    source = machine.settings.cache_dir / "models" / model.definition.id
    async with tramontane() as server:
        return await embeddings.section(server, model.artifact, source)


async def measure_peers(machine: Machine) -> str:
    """The built-in chat model beside llama.cpp's server."""
    folder = machine.settings.cache_dir / "models" / "smollm2-135m-instruct"
    gguf = next(iter(folder.glob("*.gguf")))
    plot = IMAGES / "performance-llama.svg" if machine.writes else None
    return await peers.section("The built-in model beside llama.cpp", str(gguf), gguf, peers.SMALL, plot)


async def measure_large_peers(machine: Machine) -> str:
    """The same with a model of the size that people run, of random weights."""
    folder = machine.settings.cache_dir / "models" / "smollm2-135m-instruct"
    with tempfile.TemporaryDirectory() as root:
        gguf = write_random_gguf(Path(root) / "random-1b.gguf", next(iter(folder.glob("*.gguf"))))
        title = "A model of 1.1 billion random weights beside llama.cpp"
        return await peers.section(title, str(gguf), gguf, peers.LARGE)


async def _cold_start(settings: Settings) -> float:
    with tempfile.TemporaryDirectory() as cache_dir:
        (Path(cache_dir) / "models").symlink_to(settings.cache_dir / "models")
        async with tramontane(cache_dir=Path(cache_dir)) as server:
            return server.start_seconds


SECTIONS: dict[str, Callable[[Machine], Awaitable[str]]] = {
    "inference": measure_inference,
    "peers": measure_peers,
    "large-peers": measure_large_peers,
    "embeddings": measure_embeddings,
}
"""In the order of the page."""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds of each comparison")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="of the page; writes nothing")
    arguments = parser.parse_args()
    settings = load_settings()
    with preparation_progress() as progress:
        prepared = prepare_models(settings, progress)
    machine = Machine(settings, prepared, arguments.rounds, writes=not arguments.only)
    chosen = arguments.only or list(SECTIONS)
    sections = [asyncio.run(SECTIONS[name](machine)) for name in chosen]
    if arguments.only:
        print("\n".join(sections))
        return
    page = render(sections)
    write_part("models", page)
    print(page)


if __name__ == "__main__":
    main()
