"""Tiny models with random weights, made in milliseconds and always the same for the same seed.

They have the form of real ones (a GGUF file, Hugging Face folders), speak nonsense, and convert and load in
about a second. Weights are named, and q and k rows ordered, as Hugging Face does.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
END_OF_TEXT, TURN_START, TURN_END = range(3)
MERGES = (("t", "h"), ("th", "e"), ("i", "n"), ("Ġ", "the"), ("a", "n"), ("Ġ", "a"), ("in", "g"), ("o", "n"))


@dataclass(frozen=True)
class TinyLlama:
    """The shape of a tiny decoder. Heads are 32 wide, which is what the engine's attention likes."""

    hidden_size: int = 64
    feed_forward_size: int = 96
    layers: int = 2
    heads: int = 2
    kv_heads: int = 1
    head_size: int = 32
    max_context_length: int = 512
    rope_base: float = 10_000.0
    rms_epsilon: float = 1e-5
    tied: bool = True
    biases: bool = False
    head_norms: bool = False
    vocabulary: int | None = None
    """Tokens, if not those of `tiny_bpe_tokenizer`."""

    @property
    def vocabulary_size(self) -> int:
        return self.vocabulary or len(SPECIAL_TOKENS) + 256 + len(MERGES)


WIDE_LLAMA = TinyLlama(hidden_size=256, feed_forward_size=256, heads=8, kv_heads=2)
"""Rows of whole blocks of 256, which the K encodings need."""


@dataclass(frozen=True)
class TinyBert:
    """The shape of a tiny encoder."""

    hidden_size: int = 32
    feed_forward_size: int = 64
    layers: int = 2
    heads: int = 2
    max_positions: int = 64
    max_sequence_length: int = 48
    layer_norm_epsilon: float = 1e-12


def tiny_llama_weights(shape: TinyLlama = TinyLlama(), seed: int = 0) -> dict[str, np.ndarray]:
    """Float32 weights, large enough that greedy decoding does not say the same token for ever."""
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.normal(0, 1.5 / np.sqrt(columns), (rows, columns)).astype(np.float32)

    def vector(size: int, around: float = 0.0) -> np.ndarray:
        return (around + random.normal(0, 0.1, size)).astype(np.float32)

    hidden, queries, keys = shape.hidden_size, shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    weights = {"model.embed_tokens.weight": matrix(shape.vocabulary_size, hidden) * 4}
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}."
        rows_columns = {
            "self_attn.q_proj": (queries, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "self_attn.o_proj": (hidden, queries),
            "mlp.gate_proj": (shape.feed_forward_size, hidden),
            "mlp.up_proj": (shape.feed_forward_size, hidden),
            "mlp.down_proj": (hidden, shape.feed_forward_size),
        }
        for name, (rows, columns) in rows_columns.items():
            weights[f"{prefix}{name}.weight"] = matrix(rows, columns)
            if shape.biases and name in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
                weights[f"{prefix}{name}.bias"] = vector(rows)
        if shape.head_norms:
            for name in ("q_norm", "k_norm"):
                weights[f"{prefix}self_attn.{name}.weight"] = vector(shape.head_size, around=1.0)
        weights[f"{prefix}input_layernorm.weight"] = vector(hidden, around=1.0)
        weights[f"{prefix}post_attention_layernorm.weight"] = vector(hidden, around=1.0)
    weights["model.norm.weight"] = vector(hidden, around=1.0)
    if not shape.tied:
        weights["lm_head.weight"] = matrix(shape.vocabulary_size, hidden) * 4
    return weights


def write_tiny_gguf(
    path: Path,
    *,
    shape: TinyLlama = TinyLlama(),
    architecture: str = "llama",
    encoding: str = "F32",
    embedding_encoding: str | None = None,
    seed: int = 0,
    metadata: Mapping[str, object] | None = None,
    extra_tensors: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """A GGUF file of `tiny_llama_weights`; matrices in `encoding`, vectors in F32.

    Encodings that nobody can write (the K-quants) get random blocks of their own instead of the weights.
    `metadata` replaces keys of the file, or leaves one out where it says None.
    """
    writer = gguf.GGUFWriter(path, arch=None)
    for key, value in (_gguf_metadata(shape, architecture) | dict(metadata or {})).items():
        _add_metadata(writer, key, value)
    for name, weight in tiny_llama_weights(shape, seed).items():
        stored = weight if architecture.startswith("qwen") else interleaved(weight, shape, name)
        kind = (embedding_encoding or encoding) if "embed_tokens" in name else encoding
        _add_tensor(writer, gguf_name(name), stored, gguf.GGMLQuantizationType[kind], seed)
    for name, tensor in (extra_tensors or {}).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_tiny_llama_folder(
    folder: Path,
    *,
    shape: TinyLlama = TinyLlama(),
    dtype: str = "F32",
    shards: int = 1,
    seed: int = 0,
    config: Mapping[str, object] | None = None,
) -> Path:
    """A Hugging Face folder of `tiny_llama_weights`. `config` adds to or replaces what config.json says."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = tiny_llama_weights(shape, seed)
    _write_json(folder / "config.json", _llama_config(shape) | dict(config or {}))
    _write_json(folder / "generation_config.json", {"eos_token_id": [TURN_END, END_OF_TEXT]})
    _write_json(folder / "tokenizer_config.json", {"chat_template": CHAT_TEMPLATE, "add_bos_token": False})
    tiny_bpe_tokenizer().save(str(folder / "tokenizer.json"))
    if shards == 1:
        write_safetensors(folder / "model.safetensors", weights, dtype)
        return folder
    names = sorted(weights)
    files = [f"model-{shard:05}-of-{shards:05}.safetensors" for shard in range(1, shards + 1)]
    weight_map = {name: files[i % shards] for i, name in enumerate(names)}
    for file in files:
        write_safetensors(folder / file, {n: weights[n] for n in names if weight_map[n] == file}, dtype)
    _write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})
    return folder


def write_tiny_mistral_folder(
    folder: Path,
    weights: Mapping[str, np.ndarray],
    shape: TinyLlama,
    tokenizer: Path,
    *,
    params: Mapping[str, object] | None = None,
    shards: int = 1,
) -> Path:
    """A folder in Mistral's own format of weights that have Hugging Face's names; FP8 as bytes."""
    folder.mkdir(parents=True)
    sizes = {
        "dim": shape.hidden_size,
        "n_layers": shape.layers,
        "head_dim": shape.head_size,
        "hidden_dim": shape.feed_forward_size,
        "n_heads": shape.heads,
        "n_kv_heads": shape.kv_heads,
        "norm_eps": shape.rms_epsilon,
        "vocab_size": shape.vocabulary_size,
        "rope_theta": shape.rope_base,
        "max_position_embeddings": shape.max_context_length,
        "tied_embeddings": shape.tied,
    }
    _write_json(folder / "params.json", sizes | dict(params or {}))
    (folder / tokenizer.name).write_bytes(tokenizer.read_bytes())
    stored = {
        mistral_name(name): interleaved(weight, shape, name) if weight.ndim == 2 else weight
        for name, weight in weights.items()
    }
    if shards == 1:
        write_safetensors(folder / "consolidated.safetensors", stored, "F32")
        return folder
    files = [f"consolidated-{shard:05}-of-{shards:05}.safetensors" for shard in range(1, shards + 1)]
    weight_map = {name: files[i % shards] for i, name in enumerate(stored)}
    for file in files:
        write_safetensors(folder / file, {n: t for n, t in stored.items() if weight_map[n] == file}, "F32")
    _write_json(folder / "consolidated.safetensors.index.json", {"weight_map": weight_map})
    return folder


def write_tiny_lora(
    folder: Path,
    weights: Mapping[str, np.ndarray],
    settings: Mapping[str, object],
    *,
    layers: int | None = None,
) -> tuple[Path, dict[str, np.ndarray]]:
    """An adapter of rank 4 for queries and one part of the feed-forward, and the weights that it makes."""
    folder.mkdir()
    rank, alpha, random = 4, 8, np.random.default_rng(5)
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "base_model_name_or_path": "tiny"}
    _write_json(folder / "adapter_config.json", config | dict(settings))
    numbers, stored = dict(weights), {}
    patterns = settings.get("alpha_pattern", {})
    assert isinstance(patterns, dict)
    for name, weight in weights.items():
        module = name.removesuffix(".weight")
        if not module.endswith(("q_proj", "up_proj")) or (layers and int(name.split(".")[2]) >= layers):
            continue
        down = random.normal(0, 0.3, (rank, weight.shape[1])).astype(np.float32)
        up = random.normal(0, 0.3, (weight.shape[0], rank)).astype(np.float32)
        stored[f"base_model.model.{module}.lora_A.weight"] = down
        stored[f"base_model.model.{module}.lora_B.weight"] = up
        own_alpha = patterns.get(module.split(".")[-1], alpha)
        scale = own_alpha / np.sqrt(rank) if settings.get("use_rslora") else own_alpha / rank
        numbers[name] = weight + scale * (up @ down)
    write_safetensors(folder / "adapter_model.safetensors", stored, "F32")
    return folder, numbers


def mistral_name(name: str) -> str:
    """The name in Mistral's own format of a tensor that Hugging Face calls `name`."""
    parts = {
        "model.embed_tokens": "tok_embeddings",
        "model.norm": "norm",
        "lm_head": "output",
        "model.layers": "layers",
        "self_attn.q_proj": "attention.wq",
        "self_attn.k_proj": "attention.wk",
        "self_attn.v_proj": "attention.wv",
        "self_attn.o_proj": "attention.wo",
        "mlp.gate_proj": "feed_forward.w1",
        "mlp.down_proj": "feed_forward.w2",
        "mlp.up_proj": "feed_forward.w3",
        "input_layernorm": "attention_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    for theirs, mistrals in parts.items():
        name = name.replace(theirs, mistrals)
    return name


def write_tiny_bert_folder(folder: Path, *, shape: TinyBert = TinyBert(), seed: int = 0) -> Path:
    """A sentence-transformers folder: WordPiece, mean pooling, its tokenizer.json set to cut and pad."""
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_wordpiece_tokenizer()
    size = tokenizer.get_vocab_size()
    _write_json(folder / "config.json", _bert_config(shape, size))
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": shape.max_sequence_length})
    _write_json(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})
    _write_json(
        folder / "modules.json",
        [
            {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
    )
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_safetensors(folder / "model.safetensors", tiny_bert_weights(shape, size, seed), "F32")
    return folder


def tiny_bert_weights(shape: TinyBert, vocabulary_size: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Float32 weights named as Hugging Face's BertModel names them."""
    random = np.random.default_rng(seed)
    hidden = shape.hidden_size
    weights: dict[str, np.ndarray] = {}

    def matrix(name: str, rows: int, columns: int) -> None:
        weights[name] = random.normal(0, 1 / np.sqrt(columns), (rows, columns)).astype(np.float32)

    def linear(name: str, rows: int, columns: int) -> None:
        matrix(f"{name}.weight", rows, columns)
        weights[f"{name}.bias"] = random.normal(0, 0.1, rows).astype(np.float32)

    def norm(name: str) -> None:
        weights[f"{name}.weight"] = random.normal(1, 0.1, hidden).astype(np.float32)
        weights[f"{name}.bias"] = random.normal(0, 0.1, hidden).astype(np.float32)

    matrix("embeddings.word_embeddings.weight", vocabulary_size, hidden)
    matrix("embeddings.position_embeddings.weight", shape.max_positions, hidden)
    matrix("embeddings.token_type_embeddings.weight", 2, hidden)
    norm("embeddings.LayerNorm")
    for layer in range(shape.layers):
        prefix = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            linear(f"{prefix}attention.self.{part}", hidden, hidden)
        linear(f"{prefix}attention.output.dense", hidden, hidden)
        norm(f"{prefix}attention.output.LayerNorm")
        linear(f"{prefix}intermediate.dense", shape.feed_forward_size, hidden)
        linear(f"{prefix}output.dense", hidden, shape.feed_forward_size)
        norm(f"{prefix}output.LayerNorm")
    return weights


def tiny_bpe_tokenizer() -> Tokenizer:
    """Byte-level BPE with SmolLM's pre-tokenizer: every text has ids, every id but three has bytes."""
    vocabulary = {token: index for index, token in enumerate(_bpe_tokens())}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=list(MERGES)))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS])
    return tokenizer


def tiny_wordpiece_tokenizer() -> Tokenizer:
    """Lower-casing WordPiece of single ASCII characters, with BERT's special tokens around each text."""
    letters = [chr(c) for c in range(33, 127) if chr(c) == chr(c).lower()]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return tokenizer


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray], dtype: str) -> None:
    """The format by hand: header length, JSON header, data. `dtype` is F32, F16 or BF16.

    Bytes (uint8) are written as F8_E4M3, whatever `dtype` is.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    blobs: list[bytes] = []
    position = 0
    for name, tensor in tensors.items():
        is_float = tensor.dtype != np.uint8
        blob = encode_floats(tensor, dtype) if is_float else tensor.tobytes()
        header[name] = {
            "dtype": dtype if is_float else "F8_E4M3",
            "shape": list(tensor.shape),
            "data_offsets": [position, position + len(blob)],
        }
        blobs.append(blob)
        position += len(blob)
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + b"".join(blobs))


def encode_floats(values: np.ndarray, dtype: str) -> bytes:
    """`values` as F32, F16 or BF16 (rounded to nearest even)."""
    match dtype:
        case "F32":
            return values.astype("<f4").tobytes()
        case "F16":
            return values.astype("<f2").tobytes()
        case "BF16":
            bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
            return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()
        case _:
            raise ValueError(dtype)


def gguf_name(name: str) -> str:
    """The GGUF name of a tensor that Hugging Face calls `name`."""
    fixed = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    if name in fixed:
        return fixed[name]
    _, _, layer, *middle, last = name.split(".")
    parts = {
        "self_attn.q_proj": "attn_q",
        "self_attn.q_norm": "attn_q_norm",
        "self_attn.k_norm": "attn_k_norm",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    return f"blk.{layer}.{parts['.'.join(middle)]}.{last}"


def _bpe_tokens() -> list[str]:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return [*SPECIAL_TOKENS, *alphabet, *(left + right for left, right in MERGES)]


def _gguf_metadata(shape: TinyLlama, architecture: str) -> dict[str, object]:
    tokens = _bpe_tokens()
    sizes = _gguf_sizes(shape)
    return {key.replace("llama.", f"{architecture}."): value for key, value in sizes.items()} | {
        "general.architecture": architecture,
        "general.name": "tiny",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tuple(tokens),
        "tokenizer.ggml.token_type": (3,) * len(SPECIAL_TOKENS) + (1,) * (len(tokens) - len(SPECIAL_TOKENS)),
        "tokenizer.ggml.merges": tuple(f"{left} {right}" for left, right in MERGES),
        "tokenizer.ggml.bos_token_id": TURN_START,
        "tokenizer.ggml.eos_token_id": TURN_END,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }


def _gguf_sizes(shape: TinyLlama) -> dict[str, object]:
    return {
        "llama.block_count": shape.layers,
        "llama.context_length": shape.max_context_length,
        "llama.embedding_length": shape.hidden_size,
        "llama.feed_forward_length": shape.feed_forward_size,
        "llama.attention.head_count": shape.heads,
        "llama.attention.head_count_kv": shape.kv_heads,
        "llama.attention.key_length": shape.head_size,
        "llama.attention.value_length": shape.head_size,
        "llama.attention.layer_norm_rms_epsilon": shape.rms_epsilon,
        "llama.rope.freq_base": shape.rope_base,
        "llama.rope.dimension_count": shape.head_size,
        "llama.vocab_size": shape.vocabulary_size,
    }


def _add_metadata(writer: gguf.GGUFWriter, key: str, value: object) -> None:
    match value:
        case None:
            return
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case _:
            writer.add_array(key, value)


def _add_tensor(
    writer: gguf.GGUFWriter, name: str, weight: np.ndarray, kind: gguf.GGMLQuantizationType, seed: int
) -> None:
    if weight.ndim == 1:
        writer.add_tensor(name, weight)
        return
    try:
        blocks = gguf.quants.quantize(weight, kind)
    except NotImplementedError:
        blocks = _random_blocks(weight.shape, kind, seed)
    writer.add_tensor(name, blocks, raw_dtype=kind)


def _random_blocks(shape: tuple[int, ...], kind: gguf.GGMLQuantizationType, seed: int) -> np.ndarray:
    """Blocks whose codes are random and whose half-precision scales are small and finite."""
    per_block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    rows, columns = shape
    blocks = np.random.default_rng(seed).integers(
        0, 256, (rows * columns // per_block, block_bytes), np.uint8
    )
    scale = np.array([1.5e-5 if kind.name == "Q6_K" else 2e-4], "<f2").view(np.uint8)
    halves = {
        "Q2_K": (80, 82),
        "Q3_K": (108,),
        "Q4_K": (0, 2),
        "Q5_K": (0, 2),
        "Q6_K": (208,),
        "IQ4_XS": (0,),
    }
    for at in halves.get(kind.name, (0,)):
        blocks[:, at : at + 2] = scale
    return blocks.reshape(rows, -1)


def interleaved(weight: np.ndarray, shape: TinyLlama, name: str) -> np.ndarray:
    """llama.cpp rotates neighbouring rows where Hugging Face rotates the halves of a head."""
    heads = {"q_proj": shape.heads, "k_proj": shape.kv_heads}.get(name.split(".")[-2])
    if heads is None:
        return weight
    halves = weight.reshape(heads, 2, shape.head_size // 2, *weight.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(weight.shape)


def _llama_config(shape: TinyLlama) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.feed_forward_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size,
        "hidden_act": "silu",
        "rms_norm_eps": shape.rms_epsilon,
        "rope_theta": shape.rope_base,
        "max_position_embeddings": shape.max_context_length,
        "tie_word_embeddings": shape.tied,
        "bos_token_id": TURN_START,
        "eos_token_id": TURN_END,
    }


def _bert_config(shape: TinyBert, vocabulary_size: int) -> dict[str, object]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": vocabulary_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.feed_forward_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "hidden_act": "gelu",
        "layer_norm_eps": shape.layer_norm_epsilon,
        "max_position_embeddings": shape.max_positions,
        "position_embedding_type": "absolute",
        "type_vocab_size": 2,
    }


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))
