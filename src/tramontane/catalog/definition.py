"""A model that could be served: what is known before its files are here."""

from collections.abc import Sequence

import msgspec

from tramontane.catalog.hosted import Task, hosted_ids
from tramontane.catalog.profile import Capabilities, ModelProfile
from tramontane.weights.source import ModelSource


class ModelDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A built-in model, or one that the operator named."""

    id: str
    task: Task
    name: str
    """As its makers write it."""
    description: str
    """Says plainly what the model is and is not."""
    license: str | None
    """SPDX identifier of the weights' licence; None if it is not ours to know."""
    source: ModelSource
    max_context_length: int | None
    """Tokens; None if only the files say."""
    default_temperature: float | None = None
    default_repetition_penalty: float = 1.0
    capabilities: Capabilities = Capabilities()
    own_aliases: tuple[str, ...] = ()
    """Other names of the model itself, those of the hosted API among them if it serves these weights."""
    owned_by: str = "tramontane"

    def profile(self, max_context_length: int, aliases: Sequence[str] | None = None) -> ModelProfile:
        """The model as it is served by an engine that takes `max_context_length` tokens.

        It answers to its own names as itself, and as a stand-in to `aliases`; without any named, to all other
        hosted ids of its task that no other model is named for.
        """
        own = {self.id, *self.own_aliases}
        stands_in_for = hosted_ids(self.task) if aliases is None else aliases
        return ModelProfile(
            id=self.id,
            description=self.description,
            capabilities=self.capabilities,
            max_context_length=min(max_context_length, self.max_context_length or max_context_length),
            default_temperature=self.default_temperature,
            default_repetition_penalty=self.default_repetition_penalty,
            own_aliases=self.own_aliases,
            aliases=tuple(alias for alias in dict.fromkeys(stands_in_for) if alias not in own),
            yields=aliases is None,
            owned_by=self.owned_by,
        )
