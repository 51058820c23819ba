"""The `tramontane` command. Subcommands are imported when they run, so that help and version are quick."""

import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from tramontane import __version__
from tramontane.errors import ConfigurationError, ModelStoreError, TramontaneError

COMMANDS: Final[Mapping[str, str]] = {
    "serve": "Start the server.",
    "chat": "Chat with a model in this terminal.",
    "bench": "Measure how fast this machine answers, in about a minute.",
    "workspaces": "Manage workspaces: what keys, limits and usage belong to.",
    "keys": "Manage API keys and admin keys.",
    "models": "List, plan, fetch, check and remove models; load and unload those of a server.",
    "limits": "Show and change the limits of workspaces.",
    "usage": "Show what was used and what it cost.",
    "spend": "Show and set spending limits.",
    "prices": "Show and set what models cost.",
    "transcripts": "Show and delete the kept text of requests.",
    "db": "Upgrade, check and back up the database.",
}

EXIT_CODES: Final[Mapping[int, str]] = {
    0: "done, or stopped by Ctrl-C or SIGTERM while serving",
    1: "failed: the message says why",
    2: "wrong usage, or a setting that cannot work",
    3: "a model cannot be fetched, checked, read or converted",
    130: "interrupted before it was done",
}


class _Commands(click.Group):
    """Finds `tramontane.cli.NAME:NAME` for each name in `COMMANDS`."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"tramontane.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tramontane", message="%(prog)s %(version)s")
def cli() -> None:
    """The Mistral AI API on your own machines.

    Start with `tramontane serve`; `tramontane serve --help` explains every setting.
    """


def main() -> None:
    """Run the command line and end the process."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal can show every answer
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns one of `EXIT_CODES`. Errors of ours are one message on stderr."""
    try:
        code = cli.main(list(arguments), prog_name="tramontane", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except TramontaneError as error:
        click.secho(f"tramontane: {error}", err=True, fg="red")
        return _exit_code(error)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # Whoever read us has left. Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0


def _exit_code(error: TramontaneError) -> int:
    match error:
        case ConfigurationError():
            return 2
        case ModelStoreError():
            return 3
        case _:
            return 1
