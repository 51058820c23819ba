import msgspec

from tests.support.tiny_models import write_tiny_llama_folder
from tramontane.engines.vllm.grammars import GrammarTokens, grammar_tokens_of
from tramontane.weights.text_side import read_text_artifact


def test_control_tokens_have_characters_of_their_own_in_grammars(tmp_path):
    artifact = read_text_artifact(write_tiny_llama_folder(tmp_path / "weights"), tmp_path / "cache")

    file = msgspec.msgpack.decode(grammar_tokens_of(artifact).read_bytes(), type=GrammarTokens)

    assert set(file.stop_token_ids) == set(artifact.manifest.stop_token_ids)
    assert len(file.tokens) == artifact.manifest.vocabulary_size
    spelled = {file.tokens[token].decode() for token in artifact.manifest.special_token_ids}
    assert len(spelled) == len(artifact.manifest.special_token_ids)
    assert all(character > "\U000fffff" for character in spelled)
