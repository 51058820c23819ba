"""The tokenizer's file of an artifact."""

import shutil
from pathlib import Path

from tokenizers import Tokenizer

from tramontane.weights.artifact import MISTRAL_TOKENIZER, TOKENIZER
from tramontane.weights.mistral_tokenizer import MistralTokenizerFile


def write_tokenizer(tokenizer: Tokenizer | MistralTokenizerFile, folder: Path) -> None:
    """Write the tokenizer into an artifact."""
    match tokenizer:
        case MistralTokenizerFile(path):
            (folder / MISTRAL_TOKENIZER).mkdir()
            shutil.copyfile(path, folder / MISTRAL_TOKENIZER / path.name)
        case _:
            tokenizer.save(str(folder / TOKENIZER), pretty=False)


def mistral_tokenizer_name(tokenizer: Tokenizer | MistralTokenizerFile) -> str | None:
    """Of the file, if it is one of Mistral's."""
    match tokenizer:
        case MistralTokenizerFile(path):
            return path.name
        case _:
            return None
