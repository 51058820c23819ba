"""What is set for a workspace."""

from collections.abc import Mapping
from dataclasses import dataclass

from tramontane.errors import ConfigurationError
from tramontane.limits.figures import Limits, Override, overridden
from tramontane.limits.plans import plans


@dataclass(frozen=True, slots=True)
class WorkspaceLimits:
    """A workspace's plan, and what it has instead of the plan's figures."""

    workspace_id: str
    plan: str
    overrides: Mapping[str | None, Override]
    """By model; None is for all models that have no figure of their own."""

    def of(self, model: str | None) -> Limits:
        """What holds for `model`, or for any that is not named in the overrides.

        Raises:
            ConfigurationError: the plan is none that this release knows.
        """
        plan = plans().get(self.plan)
        if plan is None:
            raise ConfigurationError(
                f"Workspace {self.workspace_id} has the plan {self.plan!r}, which this release does not "
                f"know; it knows {', '.join(plans())}"
            )
        limits = plan.limits
        for name in (None,) if model is None else (None, model):
            if name in self.overrides:
                limits = overridden(limits, self.overrides[name])
        return limits
