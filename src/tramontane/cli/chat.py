"""`tramontane chat`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from tramontane.cli.chat_client import ChatClient, Sampling
from tramontane.cli.conversation import Conversation, answer_lines, converse
from tramontane.cli.listening import reachable_url
from tramontane.core.text import printable
from tramontane.errors import RemoteServerError
from tramontane.observability.logging import configure_logging
from tramontane.settings import BASE_URL_VARIABLE, Settings, env_name, load_settings


@click.command()
@click.option("--base-url", metavar="URL", help=f"Server to talk to.  [env: {BASE_URL_VARIABLE}]")
@click.option(
    "--api-key",
    metavar="KEY",
    help="Its API key. Other users of this machine can read command lines: better set the variable.  "
    f"[env: {env_name('api_key')}]",
)
@click.option("--model", metavar="ID", help="Model to talk to.  [default: the first that the server lists]")
@click.option("--system", metavar="TEXT", help="System prompt.")
@click.option("--temperature", type=float, help="Randomness, 0 for none.  [default: the model's]")
@click.option("--max-tokens", type=int, help="Longest answer.  [default: as long as it takes]")
def chat(
    base_url: str | None,
    api_key: str | None,
    model: str | None,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
) -> int:
    """Chat with a model in this terminal.

    Without --base-url, it talks to the server on this machine (at the configured host and port) if a key is
    given and that server answers; else it starts one of its own, for as long as the chat lasts, with the
    models that the settings name. Answers are streamed; Ctrl-C stops one. /help lists the commands of the
    chat. Lines that are piped in are answered one by one.
    """
    settings = load_settings(api_key=api_key)
    base_url = base_url or os.environ.get(BASE_URL_VARIABLE)
    configure_logging("warning" if settings.log_level == "info" else settings.log_level, settings.log_format)
    with _connected(settings, base_url) as client:
        conversation = Conversation(
            client, model or _first_model(client), system, Sampling(temperature, max_tokens)
        )
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return answer_lines(conversation)
        click.echo(f"{printable(conversation.model)} at {client.base_url}; /help lists the commands.")
        return converse(conversation)


@contextmanager
def _connected(settings: Settings, base_url: str | None) -> Iterator[ChatClient]:
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    if base_url is not None:
        with ChatClient(base_url, key) as client:
            yield client
        return
    with ChatClient(reachable_url(settings.host, settings.port), key) as client:
        if key and client.is_ready():
            yield client
            return
    click.echo("Starting a server for this chat …", err=True)
    # The whole server is slow to import: a chat with another server does without.
    from tramontane.cli.private_server import private_server  # noqa: PLC0415

    with private_server(settings) as (url, private_key), ChatClient(url, private_key) as client:
        yield client


def _first_model(client: ChatClient) -> str:
    models = client.chat_models()
    if not models:
        raise RemoteServerError(f"{client.base_url} serves no model that can chat")
    return models[0]
