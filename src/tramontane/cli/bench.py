"""`tramontane bench`."""

import asyncio
import time
from pathlib import Path

import click
import httpx

from tramontane.cli.measuring import Measured, Measuring
from tramontane.cli.options import settings_options
from tramontane.cli.verdict import verdict
from tramontane.errors import RemoteServerError
from tramontane.observability.logging import configure_logging
from tramontane.settings import load_settings


@click.command()
@settings_options
def bench(config: Path | None, **choices: object) -> None:
    """Measure how fast this machine answers, in about a minute.

    Starts a server of its own with the models that the settings name, asks it through its API, and says what
    the figures mean. Nothing is kept. Options are those of `tramontane serve`; those of address, data, keys
    and limits have no effect.
    """
    settings = load_settings(config, **choices)
    configure_logging("warning" if settings.log_level == "info" else settings.log_level, settings.log_format)
    # The whole server is slow to import: a wrong option is told without it.
    from tramontane.cli.private_server import private_server  # noqa: PLC0415

    click.echo("Starting a server …", err=True)
    started = time.perf_counter()
    with private_server(settings) as (base_url, key):
        click.echo(_line("Start, until it can answer", f"{time.perf_counter() - started:.1f} s"))
        measured = asyncio.run(_measure(base_url, key))
    click.echo()
    for sentence in verdict(measured.first_token, measured.prompt_rate, measured.streams):
        click.echo(sentence)


async def _measure(base_url: str, key: str) -> Measured:
    try:
        chat, embedding = await _models(base_url, key)
        click.echo(_line("Model", chat))
        measuring = Measuring(base_url, key, chat, embedding)
        async for name, value in measuring.run():
            click.echo(_line(name, value))
    except httpx.HTTPError as error:
        raise RemoteServerError(f"The server failed while it was measured: {error}") from error
    return measuring.measured


async def _models(base_url: str, key: str) -> tuple[str, str | None]:
    """The first that chats, and the first that embeds."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as client:
        cards = (await client.get("/v1/models")).raise_for_status().json()["data"]
    chats = [card["id"] for card in cards if card["capabilities"]["completion_chat"]]
    others = [card["id"] for card in cards if not any(card["capabilities"].values())]
    if not chats:
        raise RemoteServerError("The settings name no model that can chat, so there is nothing to measure")
    return chats[0], next(iter(others), None)


def _line(name: str, value: str) -> str:
    return f"{name:<46}  {value}"
