"""Who looks at a page, and what they may see."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from tramontane.accounts.entities import DEFAULT_ORGANIZATION_ID, Member, Role
from tramontane.console.handover import CONSOLE_KEY_ID
from tramontane.console.sessions import Session

OPERATOR: Final = "operator"
"""What the log calls whoever has the password or the link of the server itself."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A member, or the operator."""

    member: Member | None

    @property
    def name(self) -> str:
        """What others call them."""
        return OPERATOR if self.member is None else self.member.name

    @property
    def is_admin(self) -> bool:
        """Whether they may do everything."""
        return self.member is None or self.member.role is Role.admin

    @property
    def organization_id(self) -> str:
        """Whose console it is to them."""
        return DEFAULT_ORGANIZATION_ID if self.member is None else self.member.organization_id

    @property
    def key_id(self) -> str:
        """Stands in the ledger where their requests of the playground came without a key."""
        return CONSOLE_KEY_ID if self.member is None else self.member.id

    def may(self, least: Role) -> bool:
        """Whether they are at least this."""
        return self.is_admin or least is Role.member

    def sees(self, workspace_id: str) -> bool:
        """Whether the workspace is theirs to use."""
        return self.is_admin or (self.member is not None and workspace_id in self.member.workspace_ids)


def session_of(request: Request) -> Session:
    """Of a request that `gate.guarded` has let pass."""
    session: Session = request.state.session
    return session


def viewer_of(request: Request) -> Viewer:
    """Who sends a request that `gate.guarded` has let pass."""
    return Viewer(session_of(request).member)
