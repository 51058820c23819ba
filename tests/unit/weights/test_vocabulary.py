import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tests.support.tiny_models import tiny_bpe_tokenizer
from tramontane.errors import ModelStoreError
from tramontane.weights.vocabulary import read_vocabulary


def saved(tmp_path, tokenizer):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def test_byte_level_tokens_are_the_bytes_that_the_library_decodes_them_to(tmp_path):
    tokenizer = tiny_bpe_tokenizer()
    path = saved(tmp_path, tokenizer)
    vocabulary = read_vocabulary(path, 0, frozenset(), frozenset())
    for token_id in range(3, tokenizer.get_vocab_size()):
        expected = tokenizer.decode([token_id])
        assert vocabulary.token_bytes[token_id].decode(errors="replace") == expected
    assert sorted(vocabulary.token_bytes[3:259]) == [bytes([value]) for value in range(256)]


def test_tokens_with_byte_fallback_are_text_spaces_and_bytes(tmp_path):
    tokenizer = Tokenizer(models.BPE(vocab={"<0x0A>": 0, "▁the": 1, "é": 2}, merges=[], byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    vocabulary = read_vocabulary(saved(tmp_path, tokenizer), 0, frozenset(), frozenset())
    assert list(vocabulary.token_bytes) == [b"\n", b" the", "é".encode()]


def test_added_tokens_are_their_own_text(tmp_path):
    tokenizer = tiny_bpe_tokenizer()
    tokenizer.add_tokens([AddedToken("two words", normalized=False)])
    vocabulary = read_vocabulary(saved(tmp_path, tokenizer), 0, frozenset(), frozenset())
    assert vocabulary.token_bytes[tokenizer.token_to_id("two words")] == b"two words"


@pytest.mark.parametrize(
    "content", [None, b"not json", b"[]", b'{"model": {"type": "Unigram", "vocab": []}}']
)
def test_what_cannot_be_read_is_told(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelStoreError):
        read_vocabulary(path, 0, frozenset(), frozenset())
