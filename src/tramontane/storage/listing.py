"""Long lists, a part at a time: what comes after an id, since ids are in the order of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Select

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list."""

    limit: int
    after: str | None = None
    """The id of the last one of the part before."""
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """Some items of a list."""

    items: Sequence[Item]
    has_more: bool


def part_of(query: Select[Any], key: Column[Any], part: Part) -> Select[Any]:
    """The query of the part, and of one item more, which tells that there is one."""
    if part.after is not None:
        query = query.where(key < part.after if part.newest_first else key > part.after)
    return query.order_by(key.desc() if part.newest_first else key).limit(part.limit + 1)


def listed(found: Sequence[Item], part: Part) -> Listed[Item]:
    """What the query of `part_of` has found."""
    return Listed(found[: part.limit], len(found) > part.limit)
