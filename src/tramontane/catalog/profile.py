"""What is known of a model as a product: pure data, no weights, no engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capabilities of `/v1/models` that a served model can have in this release."""

    completion_chat: bool = False
    completion_fim: bool = False


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """A model that is served, under its own id and its aliases."""

    id: str
    description: str
    """Says plainly what the model is, and what it stands in for."""
    capabilities: Capabilities
    max_context_length: int
    default_temperature: float | None = None
    own_aliases: tuple[str, ...] = ()
    """Other names of the model itself."""
    aliases: tuple[str, ...] = ()
    """Hosted ids that it answers to as a stand-in, in the order in which they are listed."""
    yields: bool = False
    """Nobody chose these aliases: a model that somebody named one of them for goes before it."""
    owned_by: str = "tramontane"
    listed_as: str | None = None
    """What the price list calls it, if it is served under another id."""
    default_repetition_penalty: float = 1.0
    """Of chat answers in prose, if the request says nothing; 1 is none."""
