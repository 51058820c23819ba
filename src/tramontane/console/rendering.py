"""Templates: how a page becomes HTML. Everything in it that is not a template's own is escaped."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import tramontane
from tramontane.accounts.entities import Role
from tramontane.console.viewer import Viewer
from tramontane.core.money import dollars

_CENT: Final = Decimal("0.01")
_HUNDREDTH_OF_A_CENT: Final = Decimal("0.0001")

PREFIX: Final = "/console"

NAVIGATION: Final = (
    ("playground", "Playground", Role.member),
    ("keys", "Keys", Role.member),
    ("usage", "Usage", Role.member),
    ("requests", "Requests", Role.member),
    ("limits", "Limits", Role.member),
    ("models", "Models", Role.member),
    ("workspaces", "Workspaces", Role.admin),
    ("members", "Members", Role.admin),
    ("admin-keys", "Admin keys", Role.admin),
    ("changes", "Changes", Role.admin),
    ("health", "Health", Role.admin),
)
"""Path and name of each page, and who must be who sees it."""


def page(request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """A page, or the part of one that a template makes, with the session that it is shown to."""
    session = getattr(request.state, "session", None)
    viewer = Viewer(session.member) if session else None
    html = (
        _environment()
        .get_template(template)
        .render(
            values,
            path=request.url.path,
            session=session,
            viewer=viewer,
            navigation=[(name, label) for name, label, least in NAVIGATION if viewer and viewer.may(least)],
            csrf_token=session.csrf_token if session else "",
        )
    )
    return HTMLResponse(html, status_code=status)


def error_page(request: Request, status: int, title: str, advice: str) -> Response:
    """Says what is wrong and what to do next."""
    return page(request, "error.html", {"title": title, "advice": advice}, status)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tramontane.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "prefix": PREFIX,
        "version": tramontane.__version__,
        "asset": asset,
    }
    environment.filters |= {
        "count": count,
        "size": size,
        "moment": moment,
        "day": day,
        "duration": duration,
        "dollars": dollars,
        "money": money,
        "ago": ago,
        "iso": iso,
        "since": since,
        "pretty": pretty,
    }
    return environment


@cache
def release() -> str:
    """Names the static files as they are now. Browsers keep them for ever; changed ones have another name."""
    folder = Path(str(files("tramontane.console") / "static"))
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def asset(name: str) -> str:
    """The address of a static file. Modules find one another beside it, under the same release."""
    return f"{PREFIX}/static/{release()}/{name}"


def count(number: float) -> str:
    """`1234567` → `1,234,567`."""
    return f"{number:,}"


def size(number_of_bytes: float) -> str:
    """`123456789` → `117.7 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if number_of_bytes < 1024:
            return f"{number_of_bytes:.0f} {unit}" if unit == "B" else f"{number_of_bytes:.1f} {unit}"
        number_of_bytes /= 1024
    return f"{number_of_bytes:.1f} GiB"


def moment(seconds: float) -> str:
    """Unix seconds → `2026-11-22 17:44:54 UTC`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def money(amount: Decimal) -> str:
    """US dollars in short: to the cent from a dollar up, else to a hundredth of one."""
    return dollars(amount.quantize(_CENT if abs(amount) >= 1 else _HUNDREDTH_OF_A_CENT))


def duration(seconds: int) -> str:
    """`3725` → `1 h 2 min`."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join([f"{number} {unit}" for number, unit in parts if number][:2]) or "0 s"


def ago(seconds: float) -> str:
    """`3725` → `1 h ago`."""
    if seconds < 60:
        return "just now"
    return f"{' '.join(duration(int(seconds)).split(' ')[:2])} ago"


def since(seconds: float) -> str:
    """`3725` → `1 h 2 min`; less than a second is none."""
    return duration(max(0, int(seconds)))


def iso(seconds: float) -> str:
    """Unix seconds → `2026-11-22T17:44:54Z`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def day(seconds: float) -> str:
    """Unix seconds → `2026-11-22`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def pretty(value: object) -> str:
    """JSON that people can read."""
    return json.dumps(value, indent=2, ensure_ascii=False)
