"""The conversion itself, and the short-lived process that does it: `convert` starts one.

python -m tramontane.engines.openvino.conversion JSON
"""

import hashlib
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import openvino as ov

from tramontane.engines.openvino.artifacts import Job, artifact_path, make_artifact
from tramontane.engines.openvino.convert import REFUSED
from tramontane.engines.openvino.detokenizer_file import write_detokenizer
from tramontane.engines.openvino.graph.decoder import decoder_graph
from tramontane.engines.openvino.graph.embedder import embedder_graph
from tramontane.engines.openvino.graph.encoder import encoder_graph
from tramontane.engines.openvino.graph.weights import Weights
from tramontane.engines.openvino.ir_folder import import_ir, is_ir_folder
from tramontane.errors import ModelStoreError
from tramontane.weights.adapter import AdaptedTensors, Adapter
from tramontane.weights.artifact import CHAT_TEMPLATE, GRAPH, MANIFEST, Artifact, ArtifactManifest
from tramontane.weights.compression import Compression, choose_compression
from tramontane.weights.memory import machine_memory
from tramontane.weights.model import DecoderConfig, EmbedderConfig, EncoderConfig, SourceModel
from tramontane.weights.quantization_setting import Quantization
from tramontane.weights.read import read_model
from tramontane.weights.text_files import mistral_tokenizer_name, write_tokenizer
from tramontane.weights.token_roles import special_token_ids

_NOT_PART_OF_A_DECODER = "rotary_emb.inv_freq"
"""Older checkpoints carry the frequencies that config.json gives anyway."""


class _Request(msgspec.Struct):
    """What `convert_in_subprocess` says to the process."""

    source: str
    cache_dir: str
    sha256: str | None
    quantization: Quantization
    adapter: str | None


def convert(
    source: Path,
    cache_dir: Path,
    *,
    source_sha256: str | None = None,
    quantization: Quantization = "auto",
    adapter: Path | None = None,
) -> Artifact:
    """As `convert_in_subprocess`, in this process."""
    job = Job(source, source_sha256, quantization, adapter)
    return make_artifact(artifact_path(job, cache_dir), partial(_write_artifact, job))


def _write_artifact(job: Job, folder: Path) -> None:
    try:
        manifest = import_ir(job, folder) if is_ir_folder(job.source) else _build(job, folder)
    except ModelStoreError as error:
        raise ModelStoreError(f"{job.source} cannot be converted: {error}") from error
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))


def _build(job: Job, folder: Path) -> ArtifactManifest:
    model = read_model(job.source)
    if job.adapter is not None:
        model = replace(model, tensors=AdaptedTensors(model.tensors, Adapter(job.adapter)))
    compression = choose_compression(
        job.quantization,
        elements=model.elements,
        encoding=model.encoding,
        memory=machine_memory(),
        embeds=not isinstance(model.config, DecoderConfig),
    )
    _write_graph(model, compression, folder / GRAPH)
    write_tokenizer(model.tokenizer, folder)
    if model.chat_template is not None:
        (folder / CHAT_TEMPLATE).write_text(model.chat_template, encoding="utf-8")
    manifest = _manifest(model, compression, _described(job))
    if manifest.task == "generate":
        write_detokenizer(model.tokenizer, manifest, folder)
    return manifest


def _described(job: Job) -> str:
    """The weights, for people."""
    weights = f"{job.source.name} sha256:{job.sha256 or _sha256(job.source)}"
    return weights if job.adapter is None else f"{weights} with the adapter {job.adapter.name}"


def _write_graph(model: SourceModel, compression: Compression, path: Path) -> None:
    # The graph shares the memory of `weights`, which must live until it is written.
    weights = Weights(model.tensors, compression)
    match model.config:
        case DecoderConfig() as config:
            graph = decoder_graph(config, weights)
            _refuse_unread(weights, config, unused={"lm_head.weight"} if config.tied_embeddings else set())
        case EmbedderConfig() as config:
            graph = embedder_graph(config, weights)
            _refuse_unread(weights, config.decoder, unused={"lm_head.weight"})
        case EncoderConfig() as config:
            graph = encoder_graph(config, weights)
    ov.save_model(graph, path, compress_to_fp16=False)
    # A full disk goes unnoticed while writing; a graph that was cut off cannot be read.
    ov.Core().read_model(path)


def _refuse_unread(weights: Weights, config: DecoderConfig, *, unused: set[str]) -> None:
    """A tensor without a place in the graph means that the model is not what the graph computes."""
    unread = sorted(name for name in weights.unread - unused if not name.endswith(_NOT_PART_OF_A_DECODER))
    if unread:
        raise ModelStoreError(
            f"It has {len(unread)} tensors that a {config.architecture} model has no place for, "
            f"the first being {unread[0]}"
        )


def _manifest(model: SourceModel, compression: Compression, source: str) -> ArtifactManifest:
    quantization = compression.name if compression.rounds(model.encoding) else model.encoding.value
    match model.config:
        case DecoderConfig() as config:
            return ArtifactManifest(
                task="generate",
                architecture=config.architecture,
                source=source,
                quantization=quantization,
                vocabulary_size=config.vocabulary_size,
                max_context_length=config.max_context_length,
                layers=config.layers,
                kv_heads=config.kv_heads,
                head_size=config.head_size,
                bos_token_id=model.bos_token_id,
                stop_token_ids=model.stop_token_ids,
                special_token_ids=special_token_ids(model.tokenizer),
                mistral_tokenizer=mistral_tokenizer_name(model.tokenizer),
            )
        case EncoderConfig() as config:
            architecture, layers, dimension = config.architecture, config.layers, config.hidden_size
        case EmbedderConfig(decoder=decoder) as config:
            architecture, layers, dimension = decoder.architecture, decoder.layers, decoder.hidden_size
    return ArtifactManifest(
        task="embed",
        architecture=architecture,
        source=source,
        quantization=quantization,
        vocabulary_size=config.vocabulary_size,
        max_context_length=config.max_context_length,
        layers=layers,
        embedding_dimension=dimension,
        special_token_ids=special_token_ids(model.tokenizer),
    )


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
    request = msgspec.json.decode(arguments[0], type=_Request)
    try:
        convert(
            Path(request.source),
            Path(request.cache_dir),
            source_sha256=request.sha256,
            quantization=request.quantization,
            adapter=Path(request.adapter) if request.adapter else None,
        )
    except ModelStoreError as error:
        sys.stdout.write(str(error))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
