"""What is served and what it stands in for; loaded and unloaded."""

from collections.abc import Sequence
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import Role
from tramontane.console.actions import Action
from tramontane.console.audit import name_subject
from tramontane.console.engine_state import ModelView, states
from tramontane.console.forms import form_of
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, page
from tramontane.errors import ApiError, ConflictError, NotFoundError
from tramontane.models.catalog import AnyModel


def routes(parts: Parts) -> Sequence[Action]:
    """The page, the part of it that changes, and what is done with the models."""
    actions = _Actions(parts)
    return [
        Action("GET", "/models", actions.show, Role.member),
        Action("GET", "/models/live", actions.show_live, Role.member),
        Action("POST", "/models/load", actions.load, words="loaded the model"),
        Action("POST", "/models/unload", actions.unload, words="unloaded the model"),
    ]


class _Actions:
    """What this process serves."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def show(self, request: Request) -> Response:
        """The page."""
        return await self._page(request)

    async def show_live(self, request: Request) -> Response:
        """How each model is now; the whole page anew if others are served than those that it shows."""
        views = await self._views()
        if request.query_params.get("of") != _names(views):
            return Response(status_code=204, headers={"hx-refresh": "true"})
        return page(request, "models_live.html", {"states": views, "now": self._parts.clock.now()})

    async def load(self, request: Request) -> Response:
        """Begin to load a model; the page shows what comes of it."""
        (await self._model(request)).begin_load()
        return RedirectResponse(f"{PREFIX}/models", status_code=303)

    async def unload(self, request: Request) -> Response:
        """Take a model out of memory, unless it is in use and nobody forces it."""
        model = await self._model(request)
        try:
            await model.unload(force="force" in await form_of(request))
        except ConflictError as error:
            return await self._page(request, error, in_use=model.profile.id)
        return RedirectResponse(f"{PREFIX}/models", status_code=303)

    async def _model(self, request: Request) -> AnyModel:
        name = (await form_of(request)).get("model", "")
        model = self._parts.catalog.find(name)
        if model is None:
            raise NotFoundError(f"There is no model {name!r:.100} on this server any more")
        name_subject(request, model.profile.id)
        return model

    async def _views(self) -> Sequence[ModelView]:
        return await states(self._parts.catalog, self._parts.live.running)

    async def _page(self, request: Request, problem: ApiError | None = None, in_use: str = "") -> Response:
        views = await self._views()
        values = {
            "states": views,
            "names": _names(views),
            "now": self._parts.clock.now(),
            "problem": problem.message if problem else "",
            "in_use": in_use,
        }
        return page(request, "models.html", values, problem.status if problem else 200)


def _names(views: Sequence[ModelView]) -> str:
    """Tells whether a page shows these models."""
    return sha256("\n".join(view.model.profile.id for view in views).encode()).hexdigest()[:16]
