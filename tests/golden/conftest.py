from dataclasses import dataclass

import pytest
from mistral_common.protocol.instruct.validator import ValidationMode
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from tests.support.mistral_tokenizers import tokenizer_path
from tramontane.prompts.mistral import MistralRenderer
from tramontane.prompts.mistral_fim import MistralFimRenderer
from tramontane.weights.mistral_tokenizer import load_mistral_tokenizer, mistral_vocabulary


@dataclass
class Loaded:
    """The reference's tokenizer and our renderers, each read from the file by itself."""

    reference: MistralTokenizer
    chat: MistralRenderer
    fim: MistralFimRenderer

    def spelled(self, prompt):
        """The tokens of a prompt as the library writes them, control tokens by their names."""
        return self.reference.decode(list(prompt.token_ids), special_token_policy="keep")


@pytest.fixture(scope="session")
def load(tmp_path_factory):
    """Everything around the tokenizer of a name."""
    folder, loaded = tmp_path_factory.mktemp("tokenizers"), {}

    def _load(name):
        if name not in loaded:
            path = tokenizer_path(name, folder)
            ours = load_mistral_tokenizer(path)
            vocabulary = mistral_vocabulary(ours)
            loaded[name] = Loaded(
                MistralTokenizer.from_file(str(path), mode=ValidationMode.serving),
                MistralRenderer(ours, vocabulary),
                MistralFimRenderer(ours, vocabulary),
            )
        return loaded[name]

    return _load
