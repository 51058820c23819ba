"""A tiny model with a real Mistral tokenizer that says chosen things: its weights are written, not trained.

Each token of a script has a code, a row of a Hadamard matrix. The output projection of the token that comes
next holds the code of the last token, or the codes of the last two. One attention head brings the code of the
token before, the other one tells whether the prompt shows tools or wants a thought. All else is zero. The
folder goes through the real conversion and the real engine. What it says is certain, greedy or not.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support.mistral_tokenizers import tokenizer_path
from tests.support.tiny_models import write_safetensors
from tramontane.weights.mistral_tokenizer import load_mistral_tokenizer

CONTEXT = 4096
CODE, HEADS, HEAD_SIZE, FEED_FORWARD = 128, 2, 128, 32
PREVIOUS, BIAS, PLAIN, SHOWS, SHOWN, HIDDEN = CODE, 256, 257, 258, 262, 288
"""Where in the hidden state: the code of the token before (behind that of the token itself), a constant, the
marks of tokens that show nothing, and of those that show something, and what has been shown."""
TOOLS, THOUGHTS, BOTH = range(3)
"""What a prompt can show: that there are tools, that a thought is wanted, or two calls. The last counts."""
MARK = 8.0
"""Size of the constant and of the marks. With a code they give every token a norm of 16."""
LOGITS = 60.0
ROPE_BASE = 1_000_000.0
UNKNOWN = 0
"""The code of all tokens that are in no script; the sequence ends after them."""

CHAT = "Hello! How can I help?"
THOUGHT, ANSWER = "Two plus two makes four.", "It's 4."
RESULT = "Sunny, I see"
GAP = (" return", " a + b")
"""The last word before the gap, and what goes into it."""
CALL = ("add", '{"a": 1}')
SAID, SECOND_CALL = "Sure.", ("sub", "{}")
"""What comes before and behind `CALL` if a user says "again"."""


@dataclass(frozen=True)
class Transition:
    """`after` comes behind `last`; given `before` or `shows`, only behind and with these."""

    last: int
    after: int
    before: int | None = None
    shows: int | None = None
    is_first: bool = False
    """It begins what is said, where other things shown would begin something else."""


def write_mistral_model(folder: Path, tokenizer: str = "v13-tekken-thoughts") -> Path:
    """A Hugging Face folder with a Mistral tokenizer beside it, and no tokenizer.json.

    To a question it says `CHAT`; with tools it calls `CALL`, in the format of its tokenizer; if it is told to
    think, it thinks `THOUGHT` and says `ANSWER`. To a user who says "again" it says `SAID`, and calls `CALL`
    and `SECOND_CALL`. Behind a tool's result it says `RESULT`, and in a gap behind " return" what `GAP` has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = tokenizer_path(tokenizer, folder.parent)
    (folder / ("tekken.json" if path.suffix == ".json" else path.name)).write_bytes(path.read_bytes())
    tokens = load_mistral_tokenizer(path).instruct_tokenizer.tokenizer
    weights = _weights(tokens.n_words, _transitions(tokens), _shows(tokens), tokens.eos_id)
    write_safetensors(folder / "model.safetensors", weights, "F16")
    (folder / "config.json").write_text(json.dumps(_config(tokens)))
    return folder


def _config(tokens):
    return {
        "model_type": "mistral",
        "vocab_size": tokens.n_words,
        "hidden_size": HIDDEN,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HEAD_SIZE,
        "max_position_embeddings": CONTEXT,
        "rope_theta": ROPE_BASE,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "bos_token_id": tokens.bos_id,
        "eos_token_id": tokens.eos_id,
    }


def _shows(tokens) -> list[set[int]]:
    """The tokens by which a prompt shows what it can show, in this order."""
    much, none = (_text(tokens, f'": "{effort}"') for effort in ("high", "none"))
    wants = {*much} - {*none} if _special(tokens, "[MODEL_SETTINGS]") else {_special(tokens, "[THINK]")}
    # A word that the prompts by which models are told to think do not have.
    both = {_text(tokens, "of again")[-1]}
    return [{_special(tokens, "[AVAILABLE_TOOLS]")}, wants - {None}, both]


def _transitions(tokens) -> set[Transition]:
    asked, called, results = (
        _special(tokens, name) for name in ("[/INST]", "[TOOL_CALLS]", "[/TOOL_RESULTS]")
    )
    end = tokens.eos_id
    scripts = [
        [asked, *_text(tokens, CHAT), end],
        [called, *_call(tokens), end],
        [results, *_text(tokens, RESULT), end],
        [*_text(tokens, "x" + GAP[0])[-1:], *_continued(tokens, *GAP), end],
    ]
    first = {Transition(asked, called, shows=TOOLS)}
    think, thought = _special(tokens, "[THINK]"), _special(tokens, "[/THINK]")
    if think is not None:
        scripts.append([think, *_text(tokens, THOUGHT), thought, *_text(tokens, ANSWER), end])
        first.add(Transition(asked, think, shows=THOUGHTS))
    both = [asked, *_text(tokens, SAID), called, *_calls(tokens), end]
    return first | _chain(scripts) | _chain_where(BOTH, both, scripts)


def _chain(scripts: list[list[int]]) -> set[Transition]:
    """Every token decides what follows, or else every two tokens."""
    steps = [(before, last, after) for script in scripts for before, last, after in _triples(script)]
    followers, pairs = defaultdict(set), defaultdict(set)
    for before, last, after in steps:
        followers[last].add(after)
        pairs[before, last].add(after)
    chain = set()
    for before, last, after in steps:
        if len(followers[last]) == 1:
            chain.add(Transition(last, after))
        elif before is None or len(pairs[before, last]) > 1:
            raise ValueError(
                f"What follows the tokens {before}, {last} is not certain: {pairs[before, last]}"
            )
        else:
            chain.add(Transition(last, after, before))
    return chain


def _chain_where(shows: int, script: list[int], others: list[list[int]]) -> set[Transition]:
    """`script`, where the prompt shows something: every step that the other scripts would go otherwise."""
    followers, pairs, own, own_pairs = (defaultdict(set) for _ in range(4))
    for other in others:
        for before, last, after in _triples(other):
            followers[last].add(after)
            pairs[before, last].add(after)
    steps = list(_triples(script))
    for before, last, after in steps:
        own[last].add(after)
        own_pairs[before, last].add(after)
    chain = set()
    for before, last, after in steps:
        known = followers[last] if len(followers[last]) < 2 else pairs[before, last]
        if known == {after}:
            continue
        if len(own_pairs[before, last]) > 1:
            raise ValueError(f"What follows the tokens {before}, {last} is not certain")
        is_new, is_certain = not followers[last], len(own[last]) == 1
        seen = None if is_new else shows
        chain.add(Transition(last, after, None if is_certain else before, seen, is_first=before is None))
    return chain


def _triples(script):
    return zip([None, *script], script, script[1:], strict=False)


def _call(tokens) -> list[int]:
    name, arguments = CALL
    version = tokens.version.version_num
    if version < 11:
        return _text(tokens, json.dumps([{"name": name, "arguments": json.loads(arguments)}]))
    ids = [_special(tokens, "[CALL_ID]"), *_text(tokens, "Xyz")] if version == 11 else []
    return [*_text(tokens, name), *ids, _special(tokens, "[ARGS]"), *_text(tokens, arguments)]


def _calls(tokens) -> list[int]:
    """Two of them, the second in an odd spelling: two tokens must always tell what comes next."""
    if tokens.version.version_num >= 11:
        marked = [_special(tokens, "[TOOL_CALLS]"), *_text(tokens, SECOND_CALL[0])]
        return [*_call(tokens), *marked, _special(tokens, "[ARGS]"), *_text(tokens, f" {SECOND_CALL[1]}")]
    first = json.dumps({"name": CALL[0], "arguments": json.loads(CALL[1])})
    second = f'{{\t"parameters":{{ }},"name"\n:"{SECOND_CALL[0]}"}}'
    return _text(tokens, f"[{first},{second}]")


def _continued(tokens, before: str, text: str) -> list[int]:
    """The tokens of `text` behind `before`, as a text that goes on."""
    known = _text(tokens, "x" + before)
    return _text(tokens, "x" + before + text)[len(known) :]


def _text(tokens, text: str) -> list[int]:
    return tokens.encode(text, bos=False, eos=False)


def _special(tokens, name: str) -> int | None:
    return tokens.get_special_token(name) if tokens.is_special(name) else None


def _weights(
    vocabulary_size: int, transitions: set[Transition], shows: list[set[int]], end: int
) -> dict[str, np.ndarray]:
    scripted = sorted({step.last for step in transitions} | {step.before for step in transitions} - {None})
    rows = {token: row for row, token in enumerate(scripted, start=UNKNOWN + 1)}
    codes = _hadamard(CODE)
    embedding = np.zeros((vocabulary_size, HIDDEN), np.float32)
    embedding[:, :CODE] = codes[UNKNOWN]
    embedding[:, [BIAS, PLAIN]] = MARK
    for token, row in rows.items():
        embedding[token, :CODE] = codes[row]
    for flag, marked in enumerate(map(sorted, shows)):
        embedding[marked, PLAIN], embedding[marked, SHOWS + flag] = 0, MARK
    output = np.zeros((vocabulary_size, HIDDEN), np.float32)
    output[end, :CODE] += 2 * codes[UNKNOWN]
    for step in sorted(transitions, key=str):
        _add_step(output[step.after], step, rows, codes)
    output[:, : 2 * CODE] /= CODE
    norms = ("layers.0.input_layernorm", "layers.0.post_attention_layernorm", "norm")
    return (
        {"model.embed_tokens.weight": embedding, "lm_head.weight": output * LOGITS}
        | {f"model.layers.0.{name}.weight": matrix.astype(np.float32) for name, matrix in _layer().items()}
        | {f"model.{name}.weight": np.ones(HIDDEN, np.float32) for name in norms}
    )


def _add_step(row: np.ndarray, step: Transition, rows: dict[int, int], codes: np.ndarray) -> None:
    """Make the token of `row` come where the step says: more than 2 with what is shown, 2 without that.

    Where something is not as it must be, that makes less than 2, whatever else leads to the same token.
    """
    last, before, shown = _weights_of(step)
    row[:CODE] += last * codes[rows[step.last]]
    if step.before is not None:
        row[PREVIOUS : PREVIOUS + CODE] += before * codes[rows[step.before]]
    if step.shows is not None:
        row[SHOWN + step.shows] = max(row[SHOWN + step.shows], shown)


def _weights_of(step: Transition) -> tuple[float, float, float]:
    """Of the token, the one before it, and what the prompt shows."""
    match step:
        case Transition(shows=None, before=None):
            return 2, 0, 0
        case Transition(shows=None):
            return 1, 1, 0
        case Transition(before=None, is_first=True):
            return 1.7, 0, 1.7
        case Transition(before=None):
            return 1.8, 0, 0.45
        case _:
            return 0.65, 0.65, 0.9


def _layer() -> dict[str, np.ndarray]:
    queries = HEADS * HEAD_SIZE
    layer = {f"self_attn.{name}_proj": np.zeros((queries, HIDDEN)) for name in "qkv"} | {
        "self_attn.o_proj": np.zeros((HIDDEN, queries)),
        "mlp.gate_proj": np.zeros((FEED_FORWARD, HIDDEN)),
        "mlp.up_proj": np.zeros((FEED_FORWARD, HIDDEN)),
        "mlp.down_proj": np.zeros((HIDDEN, FEED_FORWARD)),
    }
    _add_showing_head(layer)
    _add_previous_head(layer)
    return layer


NORMED = MARK / np.sqrt((CODE + 2 * MARK**2) / HIDDEN)
"""The constant behind the RMS norm, the same for every token."""


def _add_showing_head(layer: dict[str, np.ndarray]) -> None:
    """Head 0 looks at tokens that show something, by the pair of dimensions that hardly rotates."""
    slow, query = HEAD_SIZE // 2 - 1, 20.0
    layer["self_attn.q_proj"][slow, BIAS] = query / NORMED
    for flag, score in enumerate((40.0, 80.0, 120.0)):
        layer["self_attn.k_proj"][slow, SHOWS + flag] = score * np.sqrt(HEAD_SIZE) / query / NORMED
        layer["self_attn.v_proj"][flag, SHOWS + flag] = 1 / NORMED
        layer["self_attn.o_proj"][SHOWN + flag, flag] = 1


def _add_previous_head(layer: dict[str, np.ndarray]) -> None:
    """Head 1 looks one token back: its keys are turned by one position more than its queries."""
    half, fast, size = HEAD_SIZE // 2, 16, 24.0
    angles = ROPE_BASE ** (-np.arange(fast) / half)
    pairs = HEAD_SIZE + np.arange(fast)
    layer["self_attn.q_proj"][pairs, BIAS] = size / NORMED
    layer["self_attn.k_proj"][pairs, BIAS] = size * np.cos(angles) / NORMED
    layer["self_attn.k_proj"][pairs + half, BIAS] = size * np.sin(angles) / NORMED
    values = np.arange(CODE)
    layer["self_attn.v_proj"][HEAD_SIZE + values, values] = MARK / NORMED
    layer["self_attn.o_proj"][PREVIOUS + values, HEAD_SIZE + values] = 1


def _hadamard(size: int) -> np.ndarray:
    """Rows of 1 and -1, each at right angles to all others (Sylvester's)."""
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix
