import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from tests.support.tiny_models import SPECIAL_TOKENS, tiny_bpe_tokenizer, write_tiny_gguf
from tramontane.errors import ModelStoreError
from tramontane.weights.gguf import read_gguf
from tramontane.weights.gguf_metadata import Metadata
from tramontane.weights.gguf_tokenizer import read_gguf_tokenizer

SENTENCEPIECE = json.loads(
    (Path(__file__).parents[2] / "golden" / "sentencepiece_reference.json").read_text()
)
TEXTS = [
    "",
    " ",
    "the thing and the other thing",
    "  two  spaces, trailing ",
    "tab\tand\r\nline\n\n\nbreaks",
    "digits 1234567890 and ½ ² Ⅷ",
    "it's, they'll, WE'VE",
    "naïve café, Übermut, Łódź",
    "日本語 العربية עברית Ελληνικά हिन्दी",
    "😀👩‍👩‍👧‍👦🇫🇷",
    "def f(x):\n    return {'a': x ** 2}  # comment\n",
    "a\u0301 e\u0308 \u200b \u00a0 \ufeff",
    "\x00\x07\x1b",
]


def metadata(tmp_path, **changes) -> Metadata:
    path = write_tiny_gguf(
        tmp_path / "tiny.gguf", metadata={f"tokenizer.ggml.{key}": value for key, value in changes.items()}
    )
    return read_gguf(path).metadata


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    """The pieces that the pre-tokenizer makes, as text."""
    return [text[begin:end] for _, (begin, end) in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


@pytest.mark.parametrize("text", TEXTS)
def test_byte_level_bpe_encodes_as_the_models_own_tokenizer(tmp_path, text):
    ours = read_gguf_tokenizer(metadata(tmp_path))

    assert ours.encode(text).ids == tiny_bpe_tokenizer().encode(text).ids


@pytest.mark.parametrize("pre", ["smollm", "gpt-2", "llama-bpe", "qwen2", "tekken", "default"])
@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back_whole_from_every_pre_tokenizer(tmp_path, pre, text):
    tokenizer = read_gguf_tokenizer(metadata(tmp_path, pre=pre))

    expected = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
    assert tokenizer.decode(tokenizer.encode(text).ids) == expected


@pytest.mark.parametrize(
    ("pre", "text", "expected"),
    [
        ("smollm", "Year 2024 now", ["Year", " ", "2", "0", "2", "4", " now"]),
        ("gpt-2", "Year 2024 now's", ["Year", " 2024", " now", "'s"]),
        ("llama-bpe", "Year 20245 now'S", ["Year", " ", "202", "45", " now", "'S"]),
        ("llama-bpe", "a\n\n  b?!\n", ["a", "\n\n", " ", " b", "?!\n"]),
        ("qwen2", "Year 2024 now", ["Year", " ", "2", "0", "2", "4", " now"]),
        ("tekken", "HelloWorld 42/", ["Hello", "World", " ", "4", "2", "/"]),
        ("default", "12345 a+b", ["123", "45", " a", "+", "b"]),
    ],
)
def test_pre_tokenizers_cut_where_their_models_were_trained_to(tmp_path, pre, text, expected):
    assert pieces(read_gguf_tokenizer(metadata(tmp_path, pre=pre)), text) == expected


def test_control_tokens_are_special_and_found_in_text(tmp_path):
    tokenizer = read_gguf_tokenizer(metadata(tmp_path))

    assert tokenizer.encode("a<|im_end|>b").tokens == ["a", "<|im_end|>", "b"]
    assert tokenizer.decode(tokenizer.encode("a<|im_end|>b").ids) == "ab"
    special = [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special]
    assert special == list(SPECIAL_TOKENS)


def test_user_defined_tokens_are_found_in_text_but_stay_text(tmp_path):
    types = (
        read_gguf(write_tiny_gguf(tmp_path / "a.gguf")).metadata.numbers("tokenizer.ggml.token_type").tolist()
    )
    types[0] = 4
    tokenizer = read_gguf_tokenizer(metadata(tmp_path, token_type=tuple(types)))

    ids = tokenizer.encode("a<|endoftext|>").ids
    assert ids[-1] == 0
    assert tokenizer.decode(ids) == "a<|endoftext|>"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "wordpiece"}, '"wordpiece"; supported are gpt2 and llama'),
        ({"pre": "unheard-of"}, '"unheard-of"; supported are gpt-2, smollm'),
        ({"merges": ("th",)}, "'th' is no merge"),
        ({"merges": ("t nowhere",)}, "damaged"),
        ({"token_type": (1, 1)}, "have no type"),
        ({"tokens": ("a", "a"), "token_type": (1, 1)}, "occur twice"),
        ({"tokens": None}, "tokens is missing"),
        ({"tokens": 7}, "is int, not list"),
        ({"model": "llama"}, "scores is missing"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, changes, said):
    with pytest.raises(ModelStoreError) as caught:
        read_gguf_tokenizer(metadata(tmp_path, **changes))
    assert said in str(caught.value)


@pytest.fixture(scope="module")
def sentencepiece():
    return read_gguf_tokenizer(
        Metadata(
            {
                "tokenizer.ggml.model": "llama",
                "tokenizer.ggml.tokens": SENTENCEPIECE["pieces"],
                "tokenizer.ggml.scores": np.array(SENTENCEPIECE["scores"], np.float32),
                "tokenizer.ggml.token_type": np.array(SENTENCEPIECE["types"], np.int32),
            }
        )
    )


@pytest.mark.parametrize("case", SENTENCEPIECE["cases"], ids=lambda case: ascii(case["text"])[:40])
def test_sentencepiece_encodes_and_decodes_as_the_library_does(sentencepiece, case):
    encoding = sentencepiece.encode(case["text"])

    assert encoding.ids == case["ids"]
    assert sentencepiece.decode(encoding.ids) == case["decoded"]


def test_sentencepiece_control_tokens_are_special(sentencepiece):
    assert sentencepiece.encode("a</s>").tokens[-1] == "</s>"
    assert sentencepiece.decode(sentencepiece.encode("a</s>").ids) == "a"
