"""Long lists, a page at a time: the database finds each page by the id that the one before ended with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from starlette.datastructures import URL
from starlette.requests import Request

from tramontane.accounts.names import as_id
from tramontane.storage.listing import Listed, Part

Item = TypeVar("Item")
Other = TypeVar("Other")

PAGE_SIZE: Final = 25


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of the items, and where the others are."""

    items: Sequence[Item]
    first: str | None
    """Address of the first page; None on it."""
    next: str | None
    """Of the next one; None on the last."""

    def of(self, items: "Sequence[Other]") -> "Page[Other]":
        """The same page, of what was made of its items."""
        return Page(items, self.first, self.next)


def asked_part(request: Request, *, newest_first: bool = False) -> Part:
    """The part of a list that `?after=` names; the first one if that is no id."""
    return Part(PAGE_SIZE, as_id(request.query_params.get("after", "")), newest_first)


def page_of(request: Request, found: Listed[Any]) -> Page[Any]:
    """What the database has found of the part that `asked_part` has read."""
    has_next = found.has_more and found.items
    return Page(
        found.items,
        _local(request.url.remove_query_params("after")) if "after" in request.query_params else None,
        _local(request.url.include_query_params(after=found.items[-1].id)) if has_next else None,
    )


def numbered(request: Request, items: Sequence[Item]) -> Page[Item]:
    """The page of `items`, which are few, that `?page=` names; the nearest one if there is no such page."""
    pages = max(1, -(-len(items) // PAGE_SIZE))
    asked = request.query_params.get("page", "1")
    number = min(pages, max(1, int(asked))) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1
    start = (number - 1) * PAGE_SIZE
    return Page(
        items[start : start + PAGE_SIZE],
        _local(request.url.remove_query_params("page")) if number > 1 else None,
        _local(request.url.include_query_params(page=number + 1)) if number < pages else None,
    )


def _local(url: URL) -> str:
    """Without the host, which a proxy may call otherwise."""
    return f"{url.path}?{url.query}" if url.query else url.path
