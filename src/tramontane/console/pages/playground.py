"""Trying the models: chat, fill-in-the-middle, embeddings."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tramontane.accounts.entities import Role, Workspace
from tramontane.console import repository
from tramontane.console.actions import Action, Handler
from tramontane.console.handover import Handover
from tramontane.console.parts import Parts
from tramontane.console.rendering import page
from tramontane.console.sight import workspaces_of
from tramontane.console.viewer import viewer_of
from tramontane.core.money import dollars
from tramontane.core.principal import Principal
from tramontane.models.catalog import AnyModel, generates

_TABS: Final = {"": "chat", "/fim": "fim", "/embeddings": "embeddings"}


def routes(parts: Parts) -> Sequence[Action]:
    """A page for each kind of request, and what the scripts of these pages send."""

    def tab(name: str) -> Handler:
        async def show(request: Request) -> Response:
            models = [_choice(parts, model) for model in parts.catalog if _serves(model, name)]
            values = {
                "tab": name,
                "models": models,
                "workspaces": await _in_use(request, parts),
                "base_url": str(request.base_url).rstrip("/"),
            }
            return page(request, f"playground_{name}.html", values)

        return show

    def call(path: str) -> Handler:
        async def hand_over(request: Request) -> Response:
            chosen = request.headers.get("x-workspace")
            found = [workspace for workspace in await _in_use(request, parts) if workspace.id == chosen]
            if not found:
                return JSONResponse({"message": "This workspace is not there any more: choose another."}, 404)
            principal = Principal(found[0].organization_id, found[0].id, viewer_of(request).key_id)
            return Handover(parts.api, path, principal)

        return hand_over

    async def receipt(request: Request) -> Response:
        request_id = request.path_params["request_id"]
        async with parts.database.snapshot() as connection:
            bill = await repository.get_bill(connection, request_id, viewer_of(request).key_id)
        if bill is None:
            return JSONResponse(None)
        body = {
            "prompt_tokens": bill.prompt_tokens,
            "completion_tokens": bill.completion_tokens,
            "cost": "no price" if bill.cost is None else dollars(bill.cost),
        }
        return JSONResponse(body)

    calls = ("/v1/chat/completions", "/v1/fim/completions", "/v1/embeddings")
    return [
        *(Action("GET", f"/playground{path}", tab(name), Role.member) for path, name in _TABS.items()),
        Action("GET", "/playground/receipt/{request_id}", receipt, Role.member),
        *(Action("POST", f"/playground{path}", call(path), Role.member) for path in calls),
    ]


async def _in_use(request: Request, parts: Parts) -> list[Workspace]:
    found = await workspaces_of(request, parts)
    return [workspace for workspace in found if workspace.archived_at is None]


def _serves(model: AnyModel, tab: str) -> bool:
    match tab:
        case "chat":
            return model.profile.capabilities.completion_chat
        case "fim":
            return model.profile.capabilities.completion_fim
        case _:
            return not generates(model)


def _choice(parts: Parts, model: AnyModel) -> dict[str, object]:
    aliases = parts.catalog.stand_ins_of(model)
    return {"id": model.profile.id, "aliases": aliases, "temperature": model.profile.default_temperature}
