"""The ids of the hosted API that served models stand in for."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec


class _HostedIds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    generate: tuple[str, ...]
    embed: tuple[str, ...]


def hosted_ids(task: Literal["generate", "embed"]) -> tuple[str, ...]:
    """The ids of that task, in the order in which they are listed."""
    match task:
        case "generate":
            return _hosted().generate
        case "embed":
            return _hosted().embed


@cache
def _hosted() -> _HostedIds:
    text = (files("tramontane.catalog") / "data" / "hosted.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _HostedIds)
