"""A model ready to run: one folder that the conversion writes once and everything else only reads.

    <cache_dir>/artifacts/<key>/
        model.json               this module's `ArtifactManifest`
        openvino_model.xml, .bin the graph
        openvino_detokenizer.*   of a generation model: the bytes of its tokens, for grammars
        tokenizer.json           Hugging Face `tokenizers` format, unless the next one is there
        mistral_tokenizer/       the file of a Mistral tokenizer, under its own name
        chat_template.jinja      only if the weights carry one

The folder appears by one rename when it is complete, so that a half-written one is never seen.
"""

from pathlib import Path
from typing import Literal

import msgspec

from tramontane.errors import ModelStoreError

MANIFEST = "model.json"
GRAPH = "openvino_model.xml"
DETOKENIZER = "openvino_detokenizer.xml"
TOKENIZER = "tokenizer.json"
CHAT_TEMPLATE = "chat_template.jinja"
MISTRAL_TOKENIZER = "mistral_tokenizer"


class ArtifactManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a converted model without opening its graph."""

    format: int = 1
    task: Literal["generate", "embed"]
    architecture: str
    """As its configuration names it: "llama", "bert"."""
    source: str
    """File name and SHA-256 of the weights, for people."""
    quantization: str
    """For instance "q4_1", "f32"."""
    vocabulary_size: int
    max_context_length: int
    """Tokens; for an embedding model its longest input, special tokens included. Longer inputs are cut."""
    layers: int
    kv_heads: int = 0
    head_size: int = 0
    embedding_dimension: int | None = None
    bos_token_id: int | None = None
    """Set only if the model wants it in front of every prompt."""
    stop_token_ids: tuple[int, ...] = ()
    """End of sequence and end of turn."""
    special_token_ids: tuple[int, ...] = ()
    """Control tokens, which are never part of a text."""
    mistral_tokenizer: str | None = None
    """Name of the Mistral tokenizer's file ("tekken.json", "tokenizer.model.v3"), if the model has one."""


class Artifact(msgspec.Struct, frozen=True):
    """A complete folder."""

    path: Path
    manifest: ArtifactManifest

    @property
    def graph(self) -> Path:
        """The OpenVINO graph."""
        return self.path / GRAPH

    @property
    def tokenizer(self) -> Path:
        """The tokenizer, in the format of the `tokenizers` library."""
        return self.path / TOKENIZER

    @property
    def mistral_tokenizer(self) -> Path | None:
        """The Mistral tokenizer, if the model has one: then there is no `tokenizer`."""
        name = self.manifest.mistral_tokenizer
        return self.path / MISTRAL_TOKENIZER / name if name else None

    @property
    def chat_template(self) -> Path | None:
        """The model's own chat template, if it has one."""
        path = self.path / CHAT_TEMPLATE
        return path if path.exists() else None


def read_artifact(path: Path) -> Artifact:
    """The artifact in `path`.

    Raises:
        ModelStoreError: there is none, or its manifest is not ours.
    """
    try:
        manifest = msgspec.json.decode((path / MANIFEST).read_bytes(), type=ArtifactManifest)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelStoreError(f"No converted model in {path}: {error}") from error
    return Artifact(path, manifest)
