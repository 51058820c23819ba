"""What is served and what it stands in for; planned, fetched, loaded, unloaded, removed."""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final, get_args

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tramontane.accounts.entities import Role
from tramontane.catalog.builtin import builtin_models
from tramontane.catalog.hosted import hosted_models
from tramontane.catalog.machine import this_machine
from tramontane.console.actions import Action
from tramontane.console.audit import name_subject
from tramontane.console.engine_state import ModelView, states
from tramontane.console.forms import form_of
from tramontane.console.parts import Parts
from tramontane.console.rendering import PREFIX, page
from tramontane.errors import ApiError, ConflictError, InvalidRequestError, TramontaneError
from tramontane.models.job import ENDED
from tramontane.settings import ModelSettings
from tramontane.weights.quantization_setting import Quantization

if TYPE_CHECKING:
    from tramontane.catalog.planning import PlannedModel

LOAD_TIMES: Final = {
    "use": "with its first use",
    "start": "at once, and with each start",
    "command": "by command only",
}
QUANTIZATIONS: Final = get_args(Quantization)
_JOBS_SHOWN: Final = 5


def routes(parts: Parts) -> Sequence[Action]:
    """The page, the part of it that changes, and what is done with the models."""
    actions = _Actions(parts)
    return [
        Action("GET", "/models", actions.show, Role.member),
        Action("GET", "/models/live", actions.show_live, Role.member),
        Action("GET", "/models/plan", actions.show_plan),
        Action("POST", "/models/add", actions.add, words="began to fetch the model"),
        Action("POST", "/models/remove", actions.remove, words="removed the model"),
        Action("POST", "/models/load", actions.load, words="loaded the model"),
        Action("POST", "/models/unload", actions.unload, words="unloaded the model"),
        Action("POST", "/models/jobs/{job_id}/cancel", actions.cancel, words="stopped fetching"),
    ]


class _Actions:
    """What this process serves."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._models = parts.live.models

    async def show(self, request: Request) -> Response:
        """The page."""
        return await self._page(request)

    async def show_live(self, request: Request) -> Response:
        """How each model and job is now; the whole page anew if there are others than those that it shows."""
        values = await self._values()
        if request.query_params.get("of") != values["names"]:
            return Response(status_code=204, headers={"hx-refresh": "true"})
        return page(request, "models_live.html", values)

    async def show_plan(self, request: Request) -> Response:
        """What a model would take, before anything of it is fetched."""
        name = request.query_params.get("model", "").strip()
        try:
            if not name:
                raise InvalidRequestError("Say which model: an id of the list, organisation/name, or a file.")
            planned = await asyncio.to_thread(self._parts.live.plan, name)
        except TramontaneError as error:
            return await self._page(request, str(error), 400, {"model": name})
        return page(request, "model_plan.html", self._plan_values(name, planned))

    async def add(self, request: Request) -> Response:
        """Begin to fetch a model; the page shows how far it is."""
        fields = await form_of(request)
        given = {key: fields[key] for key in ("model", "id", "load", "quantization") if fields.get(key)}
        try:
            job = await self._models.add(
                ModelSettings.model_validate(given), accepts_licence=fields.get("licence") == "yes"
            )
        except ValidationError as error:
            problem = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors() if one["loc"])
            return await self._page(request, problem or "This names no model.", 400, fields)
        except ApiError as error:
            return await self._page(request, error.message, error.status, fields)
        name_subject(request, job.model)
        return _back()

    async def remove(self, request: Request) -> Response:
        """Serve a model no longer that was added here."""
        name = (await form_of(request)).get("model", "")
        try:
            await self._models.remove(name, force="force" in await form_of(request))
        except ConflictError as error:
            return await self._page(request, error.message, error.status)
        name_subject(request, name)
        return _back()

    async def load(self, request: Request) -> Response:
        """Begin to load a model; the page shows what comes of it."""
        model = await self._models.load((await form_of(request)).get("model", ""))
        name_subject(request, model.name)
        return _back()

    async def unload(self, request: Request) -> Response:
        """Take a model out of memory, unless it is in use and nobody forces it."""
        fields = await form_of(request)
        model = self._models.get(fields.get("model", ""))
        name_subject(request, model.name)
        try:
            await self._models.unload(model.name, force="force" in fields)
        except ConflictError as error:
            return await self._page(request, error.message, error.status, in_use=model.name)
        return _back()

    async def cancel(self, request: Request) -> Response:
        """Break off what is being fetched."""
        job = await self._models.cancel(request.path_params["job_id"])
        name_subject(request, job.model)
        return _back()

    def _plan_values(self, name: str, planned: "PlannedModel") -> dict[str, object]:
        machine = this_machine(self._parts.settings.cache_dir)
        picked = planned.plan.picked
        return {
            "name": name,
            "planned": planned,
            "machine": machine,
            "has_disk": planned.present or picked is None or picked.choice.download <= machine.disk_free,
            "load_times": LOAD_TIMES,
            "quantizations": QUANTIZATIONS,
            "is_quantized": any(need.choice.file for need in planned.plan.needs),
        }

    async def _values(self) -> dict[str, object]:
        views = await states(self._parts.catalog, self._parts.live.running)
        jobs = [job for job in self._models.jobs() if job.phase not in ENDED]
        ended = [job for job in self._models.jobs() if job.phase in ENDED]
        shown = [*jobs, *ended[: max(0, _JOBS_SHOWN - len(jobs))]]
        return {
            "states": views,
            "names": _names(views, [job.id for job in shown]),
            "jobs": shown,
            "ended": ENDED,
            "added": {view.model.name for view in views if self._models.is_added(view.model)},
            "now": self._parts.clock.now(),
        }

    async def _page(
        self,
        request: Request,
        problem: str = "",
        status: int = 200,
        fields: Mapping[str, str] | None = None,
        *,
        in_use: str = "",
    ) -> Response:
        known = [
            *(model.id for model in builtin_models()),
            *(one.id for one in hosted_models() if one.weights),
        ]
        values = await self._values() | {
            "known": known,
            "problem": problem,
            "fields": fields or {},
            "in_use": in_use,
        }
        return page(request, "models.html", values, status)


def _back() -> Response:
    return RedirectResponse(f"{PREFIX}/models", status_code=303)


def _names(views: Sequence[ModelView], jobs: Sequence[str]) -> str:
    """Tells whether a page shows these models and jobs."""
    of = "\n".join([*(view.model.profile.id for view in views), "", *jobs])
    return sha256(of.encode()).hexdigest()[:16]
