"""`make bench`: measure this machine in a few minutes and write docs/performance.md."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from bench.keystrokes import type_and_wait
from bench.page import Figures, render
from bench.servers import bare_loop, resident_megabytes, tramontane
from bench.streams import compare, first_token_seconds
from tramontane.bootstrap import PreparedModel, prepare_models
from tramontane.cli.progress import preparation_progress
from tramontane.settings import Settings, load_settings

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
PROMPT_NUMBERS = (2, 90, 800)
"""Numbers in a prompt; each takes about five tokens."""


async def measure(settings: Settings, prepared: PreparedModel, rounds: int) -> Figures:
    """Everything on the page."""
    cold_start = await _cold_start(settings)
    async with (
        tramontane() as server,
        bare_loop(prepared.artifact.path, settings.kv_cache_tokens) as bare,
    ):
        idle = resident_megabytes(server.pid)
        first_tokens = [await first_token_seconds(server, numbers, rounds) for numbers in PROMPT_NUMBERS]
        keystrokes = await type_and_wait(server, rounds)
        comparisons = [await compare(server, bare, prepared, streams, rounds) for streams in (1, 4, 16)]
        return Figures(
            rounds=rounds,
            comparisons=comparisons,
            first_tokens=first_tokens,
            keystrokes=keystrokes,
            warm_start=server.start_seconds,
            cold_start=cold_start,
            idle=idle,
            busy=resident_megabytes(server.pid),
        )


async def _cold_start(settings: Settings) -> float:
    with tempfile.TemporaryDirectory() as cache_dir:
        (Path(cache_dir) / "models").symlink_to(settings.cache_dir / "models")
        async with tramontane(cache_dir=Path(cache_dir)) as server:
            return server.start_seconds


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds of each comparison")
    rounds = parser.parse_args().rounds
    settings = load_settings()
    with preparation_progress() as progress:
        prepared = prepare_models(settings, progress)
    chat = next(model for model in prepared if model.definition.task == "generate")
    page = render(asyncio.run(measure(settings, chat, rounds)))
    PAGE.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
