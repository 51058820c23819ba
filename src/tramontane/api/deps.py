"""What the routes need of the rest of the server, and how a route gets at it."""

from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tramontane.accounts.key_service import KeyService
from tramontane.accounts.service import AccountsService
from tramontane.accounts.workspace_service import WorkspaceService
from tramontane.billing.prices.service import PriceService
from tramontane.billing.spending.service import SpendingService
from tramontane.billing.usage.service import UsageService
from tramontane.core.clock import Clock, SystemClock
from tramontane.core.context import RequestContext
from tramontane.core.ids import new_request_id
from tramontane.core.lifecycle import Lifecycle
from tramontane.core.principal import PRINCIPAL_IN_SCOPE, AdminPrincipal, Principal
from tramontane.errors import AuthenticationError
from tramontane.limits.override_service import OverrideService
from tramontane.models.catalog import Catalog
from tramontane.models.service import ModelService
from tramontane.observability.metrics import Metrics
from tramontane.serving.chat import ChatService
from tramontane.serving.embeddings import EmbeddingService
from tramontane.serving.fim import FimService
from tramontane.storage.listing import Part


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the API serves with; made by `bootstrap`."""

    accounts: AccountsService
    workspaces: WorkspaceService
    keys: KeyService
    limits: OverrideService
    prices: PriceService
    spending: SpendingService
    usage: UsageService
    catalog: Catalog
    models: ModelService
    chat: ChatService
    fim: FimService
    embeddings: EmbeddingService
    clock: Clock = field(default_factory=SystemClock)
    metrics: Metrics = field(default_factory=Metrics)
    lifecycle: Lifecycle = field(default_factory=Lifecycle)

    def served_model_id(self, model_id: str) -> str | None:
        """The id of the model that answers to `model_id`: never the name of what it stands in for."""
        model = self.catalog.find(model_id)
        return model.profile.id if model else None


async def services_of(request: Request) -> Services:
    """The services of the application that got the request; async only to stay off FastAPI's thread pool."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]

_bearer = HTTPBearer(auto_error=False, description="An API key of a workspace.")
_admin_bearer = HTTPBearer(scheme_name="AdminKey", auto_error=False, description="An admin key.")


async def request_context(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> RequestContext:
    """Who asks: whose key it is, or whom the console asks for. Everything that reads a body depends on this.

    Raises:
        AuthenticationError: no key, or one that opens nothing.
    """
    principal: Principal | None = request.scope.get(PRINCIPAL_IN_SCOPE)
    if principal is None:
        if credentials is None:
            raise AuthenticationError
        principal = await services.accounts.authenticate(credentials.credentials)
    clock = services.clock
    return RequestContext(new_request_id(), principal, int(clock.now()), clock.monotonic())


async def authenticated(request: Request) -> RequestContext:
    """The `request_context` of a request, without FastAPI's help."""
    return await request_context(request, await services_of(request), await _bearer(request))


ContextDep = Annotated[RequestContext, Depends(request_context)]


async def admin_context(
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_admin_bearer)],
) -> AdminPrincipal:
    """Who manages, and which organization. Every route of the admin API depends on this.

    Raises:
        AuthenticationError: no key, or one that opens nothing.
        PermissionDeniedError: an API key.
    """
    if credentials is None:
        raise AuthenticationError
    return await services.accounts.authenticate_admin(credentials.credentials)


async def list_part(
    limit: Annotated[int, Query(ge=1, le=1000, description="Of the items, at most.")] = 100,
    after: Annotated[UUID | None, Query(description="The `last_id` of the part before.")] = None,
) -> Part:
    """Which part of a list is asked for."""
    return Part(limit, None if after is None else str(after))


PartDep = Annotated[Part, Depends(list_part)]

AdminDep = Annotated[AdminPrincipal, Depends(admin_context)]
