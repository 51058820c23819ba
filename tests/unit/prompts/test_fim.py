import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from tests.support.tiny_models import END_OF_TEXT, TURN_END, tiny_bpe_tokenizer
from tramontane.errors import ContextLengthError
from tramontane.prompts.fim import TOKEN_FAMILIES, FimRenderer
from tramontane.prompts.tokenizer import ByteTokenizer, HuggingFaceTokenizer


@pytest.fixture(params=TOKEN_FAMILIES, ids=lambda family: family[0])
def fim_tokenizer(request, tmp_path):
    tokenizer = tiny_bpe_tokenizer()
    # Qwen's are not special, as the library calls it; the others' are.
    special = request.param[0] != "<|fim_prefix|>"
    tokenizer.add_tokens([AddedToken(text, special=special, normalized=False) for text in request.param])
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    return HuggingFaceTokenizer(path, vocabulary_size=0), [tokenizer.token_to_id(t) for t in request.param]


def test_a_vocabulary_with_tokens_for_it_is_used_as_its_model_was_trained(fim_tokenizer):
    tokenizer, (before, after, middle) = fim_tokenizer
    prompt = FimRenderer(tokenizer).render("a = ", "\nb", 512)
    assert prompt.tokens.token_ids == [
        before,
        *tokenizer.encode("a = "),
        after,
        *tokenizer.encode("\nb"),
        middle,
    ]
    assert prompt.knows_suffix


def test_codellama_has_no_blank_before_the_suffix_and_an_end_of_its_own(tmp_path):
    family = ["\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>", "\u2581<EOT>"]
    tokenizer = Tokenizer(
        models.BPE(
            {
                token: at
                for at, token in enumerate(
                    ["<unk>", *"\u2581=abx", "\u2581a", *(f"<0x{b:02X}>" for b in range(256))]
                )
            },
            [("\u2581", "a")],
            unk_token="<unk>",
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in family])
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    before, after, middle, end = (tokenizer.token_to_id(text) for text in family)
    piece = tokenizer.token_to_id

    prompt = FimRenderer(HuggingFaceTokenizer(path, vocabulary_size=0)).render("a =", "ab x", 512)

    assert prompt.tokens.token_ids == [
        *(before, piece("\u2581a"), piece("\u2581"), piece("=")),
        *(after, piece("a"), piece("b"), piece("\u2581"), piece("x"), middle),
    ]
    assert prompt.knows_suffix
    assert prompt.stop_ids == {end}


def test_without_a_suffix_the_prompt_is_continued(fim_tokenizer):
    tokenizer, _ = fim_tokenizer
    prompt = FimRenderer(tokenizer).render("a =", "", 512)
    assert prompt.tokens.token_ids == tokenizer.encode("a =")


def test_a_model_without_tokens_for_it_continues_the_prompt_and_does_not_know_the_suffix(bpe):
    prompt = FimRenderer(bpe).render("the thing", "\nb", 512)
    assert prompt.tokens.token_ids == bpe.encode("the thing")
    assert not prompt.knows_suffix


@pytest.mark.parametrize("suffix", ["", "\nb"])
def test_a_blank_before_the_gap_is_left_to_a_model_whose_words_begin_with_blanks(bpe, suffix):
    prompt = FimRenderer(bpe).render("if a:\n    ", suffix, 512)
    assert prompt.tokens.token_ids == bpe.encode("if a:\n   ")
    assert prompt.leaves_blank


@pytest.mark.parametrize("code", ["a =", "a\n", "a\t", ""])
def test_no_other_end_of_the_prompt_is_left_to_the_model(bpe, code):
    assert not FimRenderer(bpe).render(code, "", 512).leaves_blank


def test_a_model_whose_tokens_are_bytes_reads_its_prompt_to_the_end():
    prompt = FimRenderer(ByteTokenizer()).render("a = ", "", 512)
    assert prompt.tokens.token_ids == list(b"a = ")
    assert not prompt.leaves_blank


def test_a_token_that_begins_every_prompt_comes_first(bpe):
    assert FimRenderer(bpe, bos_token_id=END_OF_TEXT).render("", "", 512).tokens.token_ids == [END_OF_TEXT]


def test_an_empty_prompt_still_has_a_token():
    assert FimRenderer(ByteTokenizer()).render("", "x", 512).tokens.token_ids == list(b"\n")


def test_control_tokens_in_code_are_text(bpe):
    assert TURN_END not in FimRenderer(bpe).render("a<|im_end|>", "", 512).tokens.token_ids


def test_code_that_cannot_fit_is_not_even_encoded(bpe):
    with pytest.raises(ContextLengthError):
        FimRenderer(bpe).render("x" * 10**6, "", 512)
