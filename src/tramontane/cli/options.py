"""Command line options made from the settings, so that there is one place to explain each of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tramontane.settings import (
    CONFIG_VARIABLE,
    FILE_ONLY,
    WRITTEN,
    Settings,
    Unset,
    env_name,
    option_name,
)

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_CLICK_TYPES: Final[dict[object, click.ParamType[Any]]] = {
    str: click.STRING,
    int: click.INT,
    float: click.FLOAT,
    Path: click.Path(path_type=Path),
    tuple[str, ...]: click.STRING,
    tuple[Path, ...]: click.STRING,
}


def settings_options(command: Decorated) -> Decorated:
    """Give the command `--config` and an option for every setting that can have one."""
    for name, field in reversed(Settings.model_fields.items()):
        if has_option(field):
            command = _option(name, field)(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"TOML file with settings.  [env: {CONFIG_VARIABLE}]",
    )(command)


def has_option(field: FieldInfo) -> bool:
    """Not a secret, for others can see options; not a table."""
    return plain_type(field) is not SecretStr and FILE_ONLY not in field.metadata


def plain_type(field: FieldInfo) -> object:
    """The type of a value that was given: `Path` for `Path | None`."""
    annotation = field.annotation
    members = [member for member in get_args(annotation) if member is not NoneType]
    is_choice = len(members) == 1 and get_origin(annotation) not in (Literal, tuple)
    return members[0] if is_choice else annotation


def default_text(field: FieldInfo) -> str:
    """What holds when nobody chooses."""
    for mark in field.metadata:
        if isinstance(mark, Unset):
            return mark.meaning
    assert field.default not in (None, (), PydanticUndefined)
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def allowed_text(field: FieldInfo) -> str:
    """What a value may be, in a few words; empty where the type says it all."""
    kind = plain_type(field)
    if get_origin(kind) is tuple:
        return "several, separated by commas"
    if get_origin(kind) is Literal:
        return ", ".join(get_args(kind))
    if kind is bool:
        return "true, false"
    bounds = {name: bound for mark in field.metadata for name, bound in _bounds(mark)}
    match bounds:
        case {"ge": least, "le": most}:
            return f"{least} to {most}"
        case {"ge": least}:
            return f"{least} or more"
        case _:
            return ""


def _bounds(mark: object) -> Iterator[tuple[str, object]]:
    for name in ("ge", "le"):
        if (bound := getattr(mark, name, None)) is not None:
            yield name, bound


def _option(name: str, field: FieldInfo) -> Callable[[Decorated], Decorated]:
    option = option_name(name)
    facts = f"env: {env_name(name)}; default: {default_text(field)}"
    kind = plain_type(field)
    if kind is bool:
        return click.option(
            f"{option}/--no-{option[2:]}", default=None, help=f"{field.description}  [{facts}]"
        )
    if get_origin(kind) is Literal:
        return click.option(option, type=click.Choice(get_args(kind)), help=f"{field.description}  [{facts}]")
    if allowed := allowed_text(field):
        facts += f"; {allowed}"
    return click.option(
        option,
        type=click.STRING if WRITTEN in field.metadata else _CLICK_TYPES[kind],
        multiple=get_origin(kind) is tuple,
        help=f"{field.description}  [{facts}]",
    )
