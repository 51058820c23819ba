"""The conversion itself, and the short-lived process that does it: `convert` starts one.

python -m tramontane.engines.openvino.conversion SOURCE CACHE_DIR [SHA256]
"""

import hashlib
import shutil
import sys
from functools import partial
from pathlib import Path

import msgspec
import openvino as ov
from tokenizers import Tokenizer

from tramontane.engines.openvino.artifacts import artifact_path, make_artifact
from tramontane.engines.openvino.convert import REFUSED
from tramontane.engines.openvino.graph.decoder import decoder_graph
from tramontane.engines.openvino.graph.detokenizer import detokenizer_graph
from tramontane.engines.openvino.graph.encoder import encoder_graph
from tramontane.engines.openvino.graph.weights import Weights
from tramontane.errors import ModelStoreError
from tramontane.weights.artifact import (
    CHAT_TEMPLATE,
    DETOKENIZER,
    GRAPH,
    MANIFEST,
    MISTRAL_TOKENIZER,
    TOKENIZER,
    Artifact,
    ArtifactManifest,
)
from tramontane.weights.gguf_model import read_gguf_model
from tramontane.weights.huggingface import read_huggingface_model
from tramontane.weights.mistral_tokenizer import MistralTokenizerFile
from tramontane.weights.model import DecoderConfig, EncoderConfig, SourceModel
from tramontane.weights.token_roles import special_token_ids
from tramontane.weights.vocabulary import read_vocabulary

_NOT_PART_OF_A_DECODER = "rotary_emb.inv_freq"
"""Older checkpoints carry the frequencies that config.json gives anyway."""


def convert(source: Path, cache_dir: Path, *, source_sha256: str | None = None) -> Artifact:
    """As `convert_in_subprocess`, in this process."""
    path = artifact_path(source, cache_dir, source_sha256)
    return make_artifact(path, partial(_write_artifact, source, source_sha256))


def _write_artifact(source: Path, sha256: str | None, folder: Path) -> None:
    try:
        model = read_huggingface_model(source) if source.is_dir() else read_gguf_model(source)
        _write_graph(model, folder / GRAPH)
    except ModelStoreError as error:
        raise ModelStoreError(f"{source} cannot be converted: {error}") from error
    _write_tokenizer(model.tokenizer, folder)
    if model.chat_template is not None:
        (folder / CHAT_TEMPLATE).write_text(model.chat_template, encoding="utf-8")
    manifest = _manifest(model, f"{source.name} sha256:{sha256 or _sha256(source)}")
    if manifest.task == "generate":
        _write_detokenizer(model, manifest, folder)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))


def _write_tokenizer(tokenizer: Tokenizer | MistralTokenizerFile, folder: Path) -> None:
    match tokenizer:
        case MistralTokenizerFile(path):
            (folder / MISTRAL_TOKENIZER).mkdir()
            shutil.copyfile(path, folder / MISTRAL_TOKENIZER / path.name)
        case _:
            tokenizer.save(str(folder / TOKENIZER), pretty=False)


def _write_detokenizer(model: SourceModel, manifest: ArtifactManifest, folder: Path) -> None:
    special_ids, stop_ids = frozenset(manifest.special_token_ids), frozenset(manifest.stop_token_ids)
    match model.tokenizer:
        case MistralTokenizerFile(_, vocabulary):
            pass
        case _:
            vocabulary = read_vocabulary(folder / TOKENIZER, manifest.vocabulary_size, special_ids, stop_ids)
    graph = detokenizer_graph(vocabulary.token_bytes, special_ids | stop_ids, manifest.vocabulary_size)
    ov.save_model(graph, folder / DETOKENIZER, compress_to_fp16=False)


def _write_graph(model: SourceModel, path: Path) -> None:
    # The graph shares the memory of `weights`, which must live until it is written.
    weights = Weights(model.tensors)
    match model.config:
        case DecoderConfig() as config:
            graph = decoder_graph(config, weights)
            _refuse_unread(weights, config)
        case EncoderConfig() as config:
            graph = encoder_graph(config, weights)
    ov.save_model(graph, path, compress_to_fp16=False)
    # A full disk goes unnoticed while writing; a graph that was cut off cannot be read.
    ov.Core().read_model(path)


def _refuse_unread(weights: Weights, config: DecoderConfig) -> None:
    """A tensor without a place in the graph means that the model is not what the graph computes."""
    tied = {"lm_head.weight"} if config.tied_embeddings else set()
    unread = sorted(name for name in weights.unread - tied if not name.endswith(_NOT_PART_OF_A_DECODER))
    if unread:
        raise ModelStoreError(
            f"It has {len(unread)} tensors that a {config.architecture} model has no place for, "
            f"the first being {unread[0]}"
        )


def _manifest(model: SourceModel, source: str) -> ArtifactManifest:
    match model.config:
        case DecoderConfig() as config:
            return ArtifactManifest(
                task="generate",
                architecture=config.architecture,
                source=source,
                quantization=model.quantization,
                vocabulary_size=config.vocabulary_size,
                max_context_length=config.max_context_length,
                layers=config.layers,
                kv_heads=config.kv_heads,
                head_size=config.head_size,
                bos_token_id=model.bos_token_id,
                stop_token_ids=model.stop_token_ids,
                special_token_ids=special_token_ids(model.tokenizer),
                mistral_tokenizer=_mistral_tokenizer(model),
            )
        case EncoderConfig() as config:
            return ArtifactManifest(
                task="embed",
                architecture=config.architecture,
                source=source,
                quantization=model.quantization,
                vocabulary_size=config.vocabulary_size,
                max_context_length=config.max_context_length,
                layers=config.layers,
                embedding_dimension=config.hidden_size,
                special_token_ids=special_token_ids(model.tokenizer),
            )


def _mistral_tokenizer(model: SourceModel) -> str | None:
    match model.tokenizer:
        case MistralTokenizerFile(path):
            return path.name
        case _:
            return None


def _sha256(source: Path) -> str:
    """Of the file, or of the files with weights one after another."""
    digest = hashlib.sha256()
    for path in sorted(source.glob("*.safetensors")) if source.is_dir() else [source]:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def main(arguments: list[str]) -> int:
    """The process: 0, or `REFUSED` with the reason on standard output. Anything else is a crash."""
    source, cache_dir, sha256 = arguments
    try:
        convert(Path(source), Path(cache_dir), source_sha256=sha256 or None)
    except ModelStoreError as error:
        sys.stdout.write(str(error))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
