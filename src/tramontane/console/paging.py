"""Long lists, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from starlette.requests import Request

Item = TypeVar("Item")
Other = TypeVar("Other")

PAGE_SIZE: Final = 25


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of the items, and where in the list they are."""

    items: Sequence[Item]
    number: int
    """From 1."""
    pages: int
    total: int
    path: str
    """Of this list; the number of a page is appended."""

    def of(self, items: "Sequence[Other]") -> "Page[Other]":
        """The same page, of what was made of its items."""
        return Page(items, self.number, self.pages, self.total, self.path)


def paged(request: Request, items: Sequence[Item]) -> Page[Item]:
    """The page of `items` that `?page=` names; the nearest one if there is no such page."""
    pages = max(1, -(-len(items) // PAGE_SIZE))
    asked = request.query_params.get("page", "1")
    number = min(pages, max(1, int(asked))) if asked.isascii() and asked.isdigit() else 1
    start = (number - 1) * PAGE_SIZE
    url = request.url.remove_query_params("page")
    path = f"{url.path}?{url.query}&page=" if url.query else f"{url.path}?page="
    return Page(items[start : start + PAGE_SIZE], number, pages, len(items), path)
