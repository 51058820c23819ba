"""Who asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """The workspace and the key in whose name a request runs. Ids are UUIDs in text."""

    organization_id: str
    workspace_id: str
    key_id: str
