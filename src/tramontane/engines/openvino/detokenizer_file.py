"""The file of an artifact that says what the tokens are in a grammar."""

from pathlib import Path

import openvino as ov
from tokenizers import Tokenizer

from tramontane.engines.control_characters import grammar_bytes
from tramontane.engines.openvino.graph.detokenizer import detokenizer_graph
from tramontane.weights.artifact import DETOKENIZER, TOKENIZER, ArtifactManifest
from tramontane.weights.mistral_tokenizer import MistralTokenizerFile
from tramontane.weights.vocabulary import read_vocabulary


def write_detokenizer(
    tokenizer: Tokenizer | MistralTokenizerFile, manifest: ArtifactManifest, folder: Path
) -> None:
    """Write the bytes of the tokens, for grammars; the tokenizer must be there.

    Raises:
        ModelStoreError: text cannot be made of its tokens.
    """
    special_ids, stop_ids = frozenset(manifest.special_token_ids), frozenset(manifest.stop_token_ids)
    match tokenizer:
        case MistralTokenizerFile(_, vocabulary):
            pass
        case _:
            vocabulary = read_vocabulary(folder / TOKENIZER, manifest.vocabulary_size, special_ids, stop_ids)
    tokens = grammar_bytes(vocabulary.token_bytes, special_ids | stop_ids)
    graph = detokenizer_graph(tokens, manifest.vocabulary_size)
    ov.save_model(graph, folder / DETOKENIZER, compress_to_fp16=False)
