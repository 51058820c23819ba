"""`tramontane models ps`, `load`, `unload`, `add` and `drop`: the models of a running server."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tramontane.cli.admin_client import AdminClient
from tramontane.cli.listening import reachable_url
from tramontane.cli.models_options import json_option, say
from tramontane.cli.progress import megabytes
from tramontane.cli.table import size, table
from tramontane.errors import ConfigurationError, ModelStoreError
from tramontane.settings import (
    BASE_URL_VARIABLE,
    CONFIG_VARIABLE,
    Task,
    env_name,
    load_settings,
    parse_duration,
)

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_POLL_SECONDS = 0.5
_ENDED = {"done", "failed", "cancelled"}


def server_options(command: Decorated) -> Decorated:
    """Give the command what it needs to find a running server."""
    command = click.option(
        "--admin-key",
        metavar="KEY",
        help="An admin key of it. Other users of this machine can read command lines: better set the "
        f"variable.  [env: {env_name('admin_key')}]",
    )(command)
    command = click.option(
        "--base-url",
        metavar="URL",
        help=f"The server.  [env: {BASE_URL_VARIABLE}; default: the configured host and port]",
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"TOML file with settings.  [env: {CONFIG_VARIABLE}]",
    )(command)


@click.command()
@json_option
@server_options
def ps(*, as_json: bool, config: Path | None, base_url: str | None, admin_key: str | None) -> None:
    """List the models of a running server: which are in memory, in use, at rest."""
    with _server(config, base_url, admin_key) as server:
        cards = server.models()
    now = time.time()
    rows = [
        (
            card["id"],
            card["state"],
            size(card["memory"]) if card["memory"] else "-",
            size(card["memory_needed"]) if card["memory_needed"] else "-",
            str(card["users"]),
            _since(card["idle_since"], now),
            _until(card["unloads_at"], now),
            card["problem"] or "",
        )
        for card in cards
    ]
    header = ("model", "state", "memory", "at most", "users", "idle", "unloads", "problem")
    say(table(header, rows), cards, as_json=as_json)


@click.command()
@click.argument("model")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is loaded.")
@server_options
def load(
    model: str, *, no_wait: bool, config: Path | None, base_url: str | None, admin_key: str | None
) -> None:
    """Take MODEL of a running server into memory."""
    with _server(config, base_url, admin_key) as server:
        card = server.load(model, wait=not no_wait)
    click.echo(f"{card['id']} is {card['state']}{_memory(card)}.")


@click.command()
@click.argument("model")
@click.option("--force", is_flag=True, help="Also if it is in use: its answers then end with an error.")
@server_options
def unload(
    model: str, *, force: bool, config: Path | None, base_url: str | None, admin_key: str | None
) -> None:
    """Take MODEL of a running server out of memory.

    The next request loads it again, unless it is one that only a command loads.
    """
    with _server(config, base_url, admin_key) as server:
        card = server.unload(model, force=force)
    click.echo(f"{card['id']} is {card['state']}.")


@click.command()
@click.argument("model")
@click.option("--id", "model_id", metavar="ID", help="The id under which it is served.")
@click.option("--task", type=click.Choice(["generate", "embed"]), help="What it is for.")
@click.option("--alias", "aliases", multiple=True, metavar="ID", help="A hosted id that it stands in for.")
@click.option("--load", type=click.Choice(["start", "use", "command"]), help="When it is loaded.")
@click.option("--keep-alive", metavar="TIME", help="How long it stays in memory unused: 10m, never, …")
@click.option("--quantization", metavar="NAME", help="In how many bits its matrices are kept.")
@click.option("--slots", type=int, help="Answers side by side.")
@click.option("--kv-cache-tokens", type=int, help="Tokens of context that are kept in memory.")
@click.option("--accept-licence", "--accept-license", is_flag=True, help="Accept its licence.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is served.")
@server_options
def add(  # noqa: PLR0913 - an option each
    model: str,
    *,
    model_id: str | None,
    task: Task | None,
    aliases: tuple[str, ...],
    keep_alive: str | None,
    no_wait: bool,
    config: Path | None,
    base_url: str | None,
    admin_key: str | None,
    **choices: object,
) -> None:
    """Let a running server fetch, convert and serve MODEL, now and after each start.

    A file or folder must be on the server's machine. Ctrl-C stops following, not the server.
    """
    given = {"id": model_id, "task": task, "aliases": aliases or None, **choices}
    body = {name: value for name, value in given.items() if value is not None}
    body["model"] = str(Path(model).absolute()) if Path(model).exists() else model
    if keep_alive is not None:
        body["keep_alive"] = _checked(keep_alive)
    with _server(config, base_url, admin_key) as server:
        job = server.add(body)
        if no_wait:
            click.echo(f"{job['model']} is being added: job {job['id']}.")
            return
        job = _followed(server, job)
    if job["state"] != "done":
        raise ModelStoreError(f"{job['model']} was not added: {job['error'] or job['state']}")
    click.echo(f"{job['model']} is served.")


@click.command()
@click.argument("model")
@click.option("--force", is_flag=True, help="Also if it is in use: its answers then end with an error.")
@server_options
def drop(
    model: str, *, force: bool, config: Path | None, base_url: str | None, admin_key: str | None
) -> None:
    """Let a running server serve an added MODEL no longer. Its files stay in the store."""
    with _server(config, base_url, admin_key) as server:
        card = server.remove(model, force=force)
    click.echo(f"{card['id']} is not served any more.")


def _server(config: Path | None, base_url: str | None, admin_key: str | None) -> AdminClient:
    settings = load_settings(config, admin_key=admin_key)
    if settings.admin_key is None:
        raise ConfigurationError(
            f"This takes an admin key of the server: set {env_name('admin_key')}. "
            "`tramontane keys create NAME --admin` makes one."
        )
    url = base_url or os.environ.get(BASE_URL_VARIABLE) or reachable_url(settings.host, settings.port)
    return AdminClient(url, settings.admin_key.get_secret_value())


def _followed(server: AdminClient, job: dict[str, Any]) -> dict[str, Any]:
    """The job when it has ended; a line for each thing that it did."""
    last = ""
    while job["state"] not in _ENDED:
        line = _line(job)
        if line != last:
            click.echo(line, err=True)
            last = line
        time.sleep(_POLL_SECONDS)
        job = server.job(job["id"])
    return job


def _line(job: dict[str, Any]) -> str:
    match job["state"]:
        case "fetching":
            tenth = job["bytes_done"] * 10 // max(1, job["bytes_total"])
            return f"Fetching {job['model']}: {tenth * 10} % of {megabytes(job['bytes_total'])}"
        case "converting":
            return f"Converting {job['model']}"
        case _:
            return f"Preparing {job['model']}"


def _checked(keep_alive: str) -> str:
    try:
        parse_duration(keep_alive)
    except ValueError as error:
        raise ConfigurationError(f"--keep-alive is {keep_alive!r}: {error}") from error
    return keep_alive


def _memory(card: dict[str, Any]) -> str:
    return f", {size(card['memory'])}" if card["memory"] else ""


def _since(seconds: int | None, now: float) -> str:
    return "-" if seconds is None else _span(now - seconds)


def _until(seconds: int | None, now: float) -> str:
    return "-" if seconds is None else f"in {_span(seconds - now)}"


def _span(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 120 else f"{whole // 60} min"
