"""Who asks. Ids are UUIDs in text."""

from dataclasses import dataclass
from typing import Final

PRINCIPAL_IN_SCOPE: Final = "tramontane.principal"
"""Where in the ASGI scope of a request the console puts who asks. No client can put anything there."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The workspace and the API key in whose name a request runs."""

    organization_id: str
    workspace_id: str
    key_id: str


@dataclass(frozen=True, slots=True)
class AdminPrincipal:
    """The organization that a request of the admin API manages, and the admin key that lets it."""

    organization_id: str
    key_id: str
