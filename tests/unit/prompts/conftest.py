import pytest

from tests.support.tiny_models import SPECIAL_TOKENS, TURN_END, tiny_bpe_tokenizer, tiny_wordpiece_tokenizer
from tramontane.prompts.tokenizer import HuggingFaceTokenizer


@pytest.fixture(scope="session")
def bpe(tmp_path_factory):
    """A byte-level BPE tokenizer with ChatML's control tokens."""
    path = tmp_path_factory.mktemp("bpe") / "tokenizer.json"
    tiny_bpe_tokenizer().save(str(path))
    return HuggingFaceTokenizer(
        path, vocabulary_size=300, special_ids=range(len(SPECIAL_TOKENS)), stop_ids=[TURN_END]
    )


@pytest.fixture(scope="session")
def word_piece(tmp_path_factory):
    """A WordPiece tokenizer that pads and cuts, as those of embedding models often say."""
    path = tmp_path_factory.mktemp("word_piece") / "tokenizer.json"
    tokenizer = tiny_wordpiece_tokenizer()
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(8)
    tokenizer.save(str(path))
    return HuggingFaceTokenizer(path, vocabulary_size=256)
