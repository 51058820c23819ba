from pathlib import Path

import mistral_common
import pytest
from mistral_common.tokens.tokenizers.base import SpecialTokenPolicy

from tramontane.errors import ModelStoreError
from tramontane.weights.mistral_tokenizer import (
    find_mistral_tokenizer,
    load_mistral_tokenizer,
    mistral_vocabulary,
    read_mistral_tokenizer,
)

DATA = Path(mistral_common.__file__).parent / "data"
V3 = DATA / "mistral_instruct_tokenizer_240323.model.v3"
TEKKEN = DATA / "tekken_240718.json"
TEXT = "def f(x):\n\treturn x  # é 🌬️ 風 [INST] </s>"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["tekken.json", "tokenizer.model.v3", "tokenizer.json"], "tekken.json"),
        (["tokenizer.model.v3", "tokenizer.model.v7m1", "tokenizer.model"], "tokenizer.model.v7m1"),
        (["tokenizer.model.v3", "tokenizer.model.v11"], "tokenizer.model.v11"),
        (["mistral_instruct_tokenizer_240323.model.v3"], "mistral_instruct_tokenizer_240323.model.v3"),
        (["tokenizer.model", "tokenizer.json", "tokenizer.model.vision"], None),
        ([], None),
    ],
)
def test_the_newest_tokenizer_of_a_folder_is_found(tmp_path, names, found):
    for name in names:
        (tmp_path / name).touch()
    assert find_mistral_tokenizer(tmp_path) == (tmp_path / found if found else None)


@pytest.mark.parametrize("path", [V3, TEKKEN], ids=lambda path: path.name)
def test_the_bytes_of_tokens_are_those_that_the_library_decodes(path):
    tokens = load_mistral_tokenizer(path).instruct_tokenizer.tokenizer
    vocabulary = read_mistral_tokenizer(path).vocabulary
    ids = tokens.encode(TEXT, bos=True, eos=True)

    text = b"".join(vocabulary.token_bytes[i] for i in ids if i not in vocabulary.special_ids).decode()
    # SentencePiece puts a blank before a text, which its own decoder takes away again.
    assert text.removeprefix(" ") == TEXT == tokens.decode(ids, SpecialTokenPolicy.IGNORE)


@pytest.mark.parametrize("path", [V3, TEKKEN], ids=lambda path: path.name)
def test_control_tokens_have_no_bytes_and_the_end_of_sequence_stops(path):
    tokens = load_mistral_tokenizer(path).instruct_tokenizer.tokenizer
    vocabulary = read_mistral_tokenizer(path).vocabulary

    assert vocabulary.stop_ids == {tokens.eos_id}
    for control in ("<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[SUFFIX]"):
        token_id = tokens.get_special_token(control)
        assert token_id in vocabulary.special_ids
        assert vocabulary.token_bytes[token_id] == b""


def test_what_a_model_pads_has_no_bytes():
    vocabulary = mistral_vocabulary(load_mistral_tokenizer(V3), 32_800)
    assert len(vocabulary) == 32_800
    assert set(vocabulary.token_bytes[32_768:]) == {b""}


@pytest.mark.parametrize("name", ["tekken.json", "tokenizer.model.v3"])
def test_a_damaged_file_is_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b'{"config": {}}')
    with pytest.raises(ModelStoreError, match=name):
        read_mistral_tokenizer(tmp_path / name)


def test_a_version_that_the_library_does_not_know_is_refused(tmp_path):
    path = tmp_path / "tekken.json"
    path.write_text('{"config": {"version": "v999"}}')
    with pytest.raises(ModelStoreError, match="v999"):
        read_mistral_tokenizer(path)
