"""Folders with a graph of OpenVINO's (`openvino_model.xml`), as optimum-intel exports them: used as they are.

A decoder's graph is linked into the artifact, not copied. An encoder's gets the pooling that its other files
ask for, and is written anew.
"""

from pathlib import Path

import msgspec
import openvino as ov
from openvino import Type
from openvino import opset13 as ops

from tramontane.engines.openvino.artifacts import Job
from tramontane.engines.openvino.detokenizer_file import write_detokenizer
from tramontane.engines.openvino.graph.nodes import Node, dimension, integer, integers, named_result
from tramontane.engines.openvino.graph.pooling import sentence_vector
from tramontane.errors import ModelStoreError
from tramontane.weights.artifact import CHAT_TEMPLATE, GRAPH, ArtifactManifest
from tramontane.weights.huggingface_sentence import longest_input, read_sentence_config
from tramontane.weights.huggingface_text import read_embedding_tokenizer, read_text_side
from tramontane.weights.json_file import read_json
from tramontane.weights.model import SentenceConfig
from tramontane.weights.text_files import mistral_tokenizer_name, write_tokenizer
from tramontane.weights.token_roles import special_token_ids

_DECODER_INPUTS = frozenset({"input_ids", "attention_mask", "position_ids", "beam_idx"})
_ENCODER_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids"})
_LOGITS, _HIDDEN = "logits", "last_hidden_state"


class _Sizes(msgspec.Struct, kw_only=True):
    model_type: str
    max_position_embeddings: int | None = None
    num_hidden_layers: int | None = None


class _ConfigFile(_Sizes, kw_only=True):
    text_config: _Sizes | None = None

    @property
    def context(self) -> int:
        """Tokens."""
        text = self.text_config or self
        if not text.max_position_embeddings:
            raise ModelStoreError("config.json does not say max_position_embeddings")
        return text.max_position_embeddings


def is_ir_folder(source: Path) -> bool:
    """Whether `source` holds a graph, and not weights that one has to be made of."""
    return (source / GRAPH).is_file()


def import_ir(job: Job, folder: Path) -> ArtifactManifest:
    """Fill `folder`, an artifact without its manifest, which is returned.

    Raises:
        ModelStoreError: it is damaged or incomplete, or no graph that this engine can run.
    """
    if job.adapter is not None or job.quantization not in ("auto", "none"):
        raise ModelStoreError(
            "It is a finished graph, whose weights stay as they are: no adapter and no other quantization"
        )
    config = read_json(job.source / "config.json", _ConfigFile)
    graph = _read_graph(job.source / GRAPH)
    outputs = {name for output in graph.outputs for name in output.get_names()}
    if _LOGITS in outputs:
        return _import_decoder(job.source, graph, config, folder)
    if _HIDDEN in outputs:
        return _import_encoder(job.source, graph, config, folder)
    raise ModelStoreError(
        f"Its graph has the outputs {sorted(outputs)}; supported are {_LOGITS} and {_HIDDEN}"
    )


def _import_decoder(source: Path, graph: ov.Model, config: _ConfigFile, folder: Path) -> ArtifactManifest:
    _require_inputs(graph, _DECODER_INPUTS)
    caches = [tuple(variable.info.data_shape) for variable in graph.get_variables()]
    if not caches or {len(cache) for cache in caches} != {4}:
        raise ModelStoreError(
            "Its graph does not keep keys and values of its own; export it as a stateful model "
            "(optimum-cli export openvino --task text-generation-with-past)"
        )
    vocabulary = graph.output(_LOGITS).get_partial_shape()[-1]
    text = read_text_side(source)
    for name in (GRAPH, _weights_of(GRAPH)):
        (folder / name).symlink_to((source / name).resolve())
    write_tokenizer(text.tokenizer, folder)
    if text.chat_template is not None:
        (folder / CHAT_TEMPLATE).write_text(text.chat_template, encoding="utf-8")
    manifest = ArtifactManifest(
        task="generate",
        architecture=config.model_type,
        source=source.name,
        quantization=_quantization(graph),
        vocabulary_size=_static(vocabulary, "vocabulary"),
        max_context_length=config.context,
        layers=len(caches) // 2,
        kv_heads=_static(caches[0][1], "key/value heads"),
        head_size=_static(caches[0][3], "head size"),
        bos_token_id=text.bos_token_id,
        stop_token_ids=text.stop_token_ids,
        special_token_ids=special_token_ids(text.tokenizer),
        mistral_tokenizer=mistral_tokenizer_name(text.tokenizer),
    )
    write_detokenizer(text.tokenizer, manifest, folder)
    return manifest


def _import_encoder(source: Path, graph: ov.Model, config: _ConfigFile, folder: Path) -> ArtifactManifest:
    _require_inputs(graph, _ENCODER_INPUTS)
    tokenizer = read_embedding_tokenizer(source)
    if graph.get_variables():
        raise ModelStoreError(
            "Its graph keeps state from one text to the next; export it for feature-extraction"
        )
    size = graph.output(_HIDDEN).get_partial_shape()[-1]
    ov.save_model(
        _pooled(graph, read_sentence_config(source, "mean"), config), folder / GRAPH, compress_to_fp16=False
    )
    write_tokenizer(tokenizer, folder)
    return ArtifactManifest(
        task="embed",
        architecture=config.model_type,
        source=source.name,
        quantization=_quantization(graph),
        vocabulary_size=max(tokenizer.get_vocab().values()) + 1,
        max_context_length=longest_input(source, config.context),
        layers=config.num_hidden_layers or 1,
        embedding_dimension=_static(size, "hidden size"),
        special_token_ids=special_token_ids(tokenizer),
    )


def _read_graph(path: Path) -> ov.Model:
    try:
        return ov.Core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise ModelStoreError(f"{path.name} cannot be read: {reason}") from error


def _require_inputs(graph: ov.Model, supported: frozenset[str]) -> None:
    names = {name for node in graph.inputs for name in node.get_names()}
    if not {"input_ids", "attention_mask"} <= names <= supported:
        raise ModelStoreError(f"Its graph has the inputs {sorted(names)}; supported are {sorted(supported)}")


def _pooled(graph: ov.Model, sentence: SentenceConfig, config: _ConfigFile) -> ov.Model:
    """The graph with one vector a text for its output, and the two inputs that every text has."""
    parameters = {name: node for node in graph.get_parameters() for name in node.output(0).get_names()}
    input_ids, attention_mask = parameters["input_ids"], parameters["attention_mask"]
    shape = ops.shape_of(input_ids)
    fillings = {"token_type_ids": integer(0), "position_ids": _positions(input_ids)}
    for name, filling in fillings.items():
        if name in parameters:
            kind = parameters[name].get_element_type()
            filled = ops.convert(ops.broadcast(filling, shape), kind)
            parameters[name].output(0).replace(filled.output(0))
    hidden = graph.output(_HIDDEN).get_node().input_value(0)
    vector = sentence_vector(ops.convert(hidden, Type.f32), attention_mask, sentence)
    return ov.Model(
        [named_result(vector, "sentence_embedding")], [input_ids, attention_mask], config.model_type
    )


def _positions(input_ids: Node) -> Node:
    count = ops.squeeze(dimension(input_ids, 1), integers(0))
    return ops.range(integer(0), count, integer(1), "i64")


def _static(size: ov.Dimension, what: str) -> int:
    if not size.is_static:
        raise ModelStoreError(f"Its graph does not say its {what}")
    return int(size.get_length())


def _quantization(graph: ov.Model) -> str:
    """As the compression noted it, for people."""
    path = ["nncf", "weight_compression", "mode"]
    return str(graph.get_rt_info(path).astype(str)) if graph.has_rt_info(path) else "openvino"


def _weights_of(graph: str) -> str:
    return str(Path(graph).with_suffix(".bin"))
