"""vLLM reads grammars as the embedded engine does: with control tokens that a grammar can spell.

vLLM takes the vocabulary of its grammars from the model's tokenizer, where control tokens have no bytes.
This plugin of vLLM gives it ours (`engines/control_characters.py`). vLLM calls `register` in each of its
processes, by the entry point of this package; under a vLLM that is not ours, whose `additional_config` names
no file of ours, all stays as it is.
"""

from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

import msgspec

from tramontane.engines.control_characters import grammar_bytes
from tramontane.errors import ModelStoreError
from tramontane.weights.artifact import Artifact
from tramontane.weights.mistral_tokenizer import read_mistral_tokenizer
from tramontane.weights.vocabulary import read_vocabulary

CONFIG_KEY: Final = "tramontane_grammar_tokens"
"""Of vLLM's `additional_config`: the path of the file."""


class GrammarTokens(msgspec.Struct, frozen=True):
    """The file."""

    tokens: list[bytes]
    stop_token_ids: list[int]


def grammar_tokens_of(artifact: Artifact) -> Path:
    """The file of a model, beside its tokenizer.

    Raises:
        ModelStoreError: text cannot be made of its tokens, or the file cannot be written.
    """
    path = artifact.path / "grammar_tokens"
    if path.is_file():
        return path
    manifest = artifact.manifest
    special_ids, stop_ids = frozenset(manifest.special_token_ids), frozenset(manifest.stop_token_ids)
    if artifact.mistral_tokenizer is not None:
        vocabulary = read_mistral_tokenizer(artifact.mistral_tokenizer).vocabulary
    else:
        vocabulary = read_vocabulary(artifact.tokenizer, manifest.vocabulary_size, special_ids, stop_ids)
    tokens = GrammarTokens(grammar_bytes(vocabulary.token_bytes, special_ids | stop_ids), sorted(stop_ids))
    try:
        with NamedTemporaryFile(dir=artifact.path, delete=False) as partial:
            partial.write(msgspec.msgpack.encode(tokens))
        Path(partial.name).rename(path)
    except OSError as error:
        raise ModelStoreError(f"{path} cannot be written: {error}") from error
    return path


def register() -> None:
    """Put our vocabulary in the place of the tokenizer's."""
    import xgrammar  # noqa: PLC0415 - only vLLM's own processes have it
    from vllm import envs, v1  # noqa: PLC0415 - see above
    from vllm.v1.structured_output.backend_xgrammar import XgrammarBackend  # noqa: PLC0415 - see above

    class ControlTokenBackend(XgrammarBackend):  # type: ignore[misc]  # vLLM is not there when types are checked
        """vLLM's own, with another vocabulary."""

        def __post_init__(self) -> None:
            super().__post_init__()
            path = (self.vllm_config.additional_config or {}).get(CONFIG_KEY)
            if path is None:
                return
            file = msgspec.msgpack.decode(Path(path).read_bytes(), type=GrammarTokens)
            vocabulary = xgrammar.TokenizerInfo(
                _of_length(file.tokens, self.vocab_size),
                xgrammar.VocabType.RAW,
                vocab_size=self.vocab_size,
                stop_token_ids=file.stop_token_ids,
            )
            self.compiler: Any = xgrammar.GrammarCompiler(
                vocabulary,
                max_threads=8,
                cache_enabled=True,
                cache_limit_bytes=envs.VLLM_XGRAMMAR_CACHE_MB * 1024 * 1024,
            )

    v1.structured_output.XgrammarBackend = ControlTokenBackend


def _of_length(tokens: list[bytes], length: int) -> list[bytes]:
    """Models pad their vocabulary; what is padded is never chosen."""
    return tokens[:length] + [b""] * (length - len(tokens))
