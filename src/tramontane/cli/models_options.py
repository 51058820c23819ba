"""What the subcommands of `tramontane models` have in common."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tramontane.settings import CONFIG_VARIABLE, Settings, load_settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def store_options(command: Decorated) -> Decorated:
    """Give the command `--config` and `--cache-dir`; all else comes of the environment and the file."""
    command = click.option(
        "--cache-dir", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the models."
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"TOML file with settings.  [env: {CONFIG_VARIABLE}]",
    )(command)


def json_option(command: Decorated) -> Decorated:
    """Give the command `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="For programs: JSON, sizes in bytes.")(
        command
    )


def settings_of(config: Path | None, cache_dir: Path | None, **choices: object) -> Settings:
    """The settings, as `tramontane serve` would have them."""
    return load_settings(config, cache_dir=cache_dir, **choices)


def say(text: str, value: object, *, as_json: bool) -> None:
    """Print `text`, or `value` as JSON."""
    click.echo(json.dumps(value, indent=2, default=str) if as_json else text)
