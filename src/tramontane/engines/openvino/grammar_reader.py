"""A second, tiny pipeline that reads every grammar before the one that works.

A pipeline reads a grammar in the step that begins the answer: a large one holds up all answers, and a wrong
one wedges the pipeline. This one shares the other's tokenizer, and with it everything that was ever read, so
that the other finds each grammar ready. The library never forgets one.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import openvino as ov
import openvino_genai as genai

from tramontane.engines.openvino.graph.zeros import save_zeros
from tramontane.weights.artifact import GRAPH

_PROMPT: Final = np.zeros((1, 1), np.int64)
_ANY_GRAMMAR: Final = 'root ::= "a"'
_ERROR: Final = "EBNF"
"""Begins what the library says of a grammar; what it says before that is of its own source."""


class GrammarReader:
    """Reads grammars for all pipelines that `tokenizer` belongs to. `vocabulary_size` is the model's."""

    def __init__(self, tokenizer: genai.Tokenizer, vocabulary_size: int) -> None:
        scheduler = genai.SchedulerConfig()
        scheduler.num_kv_blocks = 2
        with TemporaryDirectory(prefix="tramontane-") as folder:
            save_zeros(Path(folder) / GRAPH, vocabulary_size)
            self._pipeline = genai.ContinuousBatchingPipeline(
                folder, tokenizer, scheduler, "CPU", INFERENCE_NUM_THREADS=1
            )
        self.read(_ANY_GRAMMAR)  # the first reading sorts the vocabulary, which takes a quarter of a second

    def read(self, grammar: str) -> str | None:
        """Read `grammar`, and say what is wrong with it, if something is.

        The interpreter lock is free meanwhile: meant for a thread, one call at a time.
        """
        config = genai.GenerationConfig()
        config.max_new_tokens = 1
        config.ignore_eos = True
        config.set_eos_token_id(0)
        config.structured_output_config = genai.StructuredOutputConfig(grammar=grammar)
        try:
            self._pipeline.generate([ov.Tensor(_PROMPT)], [config])
        except RuntimeError as error:
            return _reason(error)
        return None


def _reason(error: RuntimeError) -> str:
    lines = str(error).strip().splitlines()
    last_line = lines[-1] if lines else ""
    _, found, reason = last_line.partition(_ERROR)
    return f"{found}{reason}" if found else "it cannot be read"
