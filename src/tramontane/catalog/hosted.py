"""The models of the hosted API, as data: `data/hosted/*.toml`, one file a family.

Sources: `/v1/models` of the hosted API and the model pages of its documentation, as they were on the date
`as_of` of each file. Left out are models whose work is not chat, FIM or embeddings (OCR, moderation, speech).
"""

import tomllib
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec

Task = Literal["generate", "embed"]
Capability = Literal[
    "completion_chat",
    "function_calling",
    "reasoning",
    "completion_fim",
    "fine_tuning",
    "vision",
    "unified_resources",
]

_FAMILIES: Final = (
    "large", "medium", "small", "ministral", "magistral", "code", "vision", "open", "labs", "embeddings",
)  # fmt: skip


class OpenWeights(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a model's weights are for everybody, or for those who accept a licence."""

    repository: str
    """On the Hugging Face hub."""
    other_forms: tuple[str, ...] = ()
    """Repositories with the same weights: GGUF, BF16, other quantisations."""
    license: str
    """An id of `licenses.toml`."""
    parameters: int
    active_parameters: int | None = None
    """Of a mixture of experts: those that one token passes."""


class HostedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model of the hosted API, current or retired."""

    id: str
    name: str
    """As its makers write it."""
    aliases: tuple[str, ...] = ()
    task: Task
    released: date
    max_context_length: int
    """Tokens, as `/v1/models` of the hosted API says."""
    default_temperature: float | None = None
    capabilities: tuple[Capability, ...]
    """What the hosted API says it can do; a server of its weights may do less."""
    tokenizer: str | None = None
    """Kind and version of its Mistral tokenizer, if it has one: "tekken-v13", "sentencepiece-v3"."""
    deprecated: date | None = None
    """When its end was announced."""
    retires: date | None = None
    """When the hosted API stops serving it, or has."""
    replacement: str | None = None
    """What the hosted API recommends instead."""
    weights: OpenWeights | None = None
    """None if nobody but the makers has them."""
    stand_in: str | None = None
    """Of a model without open weights, a fair one that has them: an id of this catalog, or a repository."""
    note: str | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """All that it answers to, the floating names first."""
        return (*self.aliases, self.id)


class _Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: date
    models: tuple[HostedModel, ...]


@cache
def hosted_models() -> tuple[HostedModel, ...]:
    """All of them, in the order in which they are listed."""
    folder = files("tramontane.catalog") / "data" / "hosted"
    texts = [(folder / f"{family}.toml").read_text("utf-8") for family in _FAMILIES]
    families = [msgspec.convert(tomllib.loads(text), _Family) for text in texts]
    return tuple(model for family in families for model in family.models)


def hosted_ids(task: Task) -> tuple[str, ...]:
    """Every id and alias of that task, in the order in which they are listed."""
    return tuple(model_id for model in hosted_models() if model.task == task for model_id in model.ids)


def find_hosted(model_id: str) -> HostedModel | None:
    """The model that answers to `model_id` on the hosted API."""
    return _by_id().get(model_id)


def hosted_model_of(repository: str) -> HostedModel | None:
    """The model whose weights `repository` holds, in whatever form."""
    return _by_repository().get(repository.lower())


@cache
def _by_id() -> dict[str, HostedModel]:
    return {model_id: model for model in hosted_models() for model_id in model.ids}


@cache
def _by_repository() -> dict[str, HostedModel]:
    return {
        repository.lower(): model
        for model in hosted_models()
        if model.weights is not None
        for repository in (model.weights.repository, *model.weights.other_forms)
    }
