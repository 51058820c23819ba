"""Make `tests/golden/sentencepiece_reference.json`: a tiny SentencePiece BPE model and its encodings.

Needs the sentencepiece library, which the project itself does without; run it in an environment of its own:

    python scripts/make_sentencepiece_reference.py tests/golden/sentencepiece_reference.json
"""

import io
import json
import sys
from importlib.metadata import version
from pathlib import Path

import sentencepiece

ROOT = Path(__file__).parents[1]
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
"""Token types as GGUF files have them."""
TEXTS = (
    "Hello, world!",
    "  two  spaces, trailing ",
    "a",
    "tab\tand\r\nline\n\n\nbreaks",
    "digits 1234567890, 3.14",
    "the engine's own requests and responses",
    "na\u00efve caf\u00e9 \u65e5\u672c\u8a9e \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \U0001f600",
    "def f(x):\n    return {'a': x ** 2}  # comment\n",
    "UPPER lower MiXeD snake_case camelCase kebab-case",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "the the thethe thethethe",
    "\u2581 is how a space is written",
    'Apache License, Version 2.0 (the "License"); you may not use this file except in compliance',
)


def main(output: str) -> None:
    """Train on the project's own prose and record pieces, scores, types and cases."""
    model = io.BytesIO()
    sentences = [line for name in ("LICENSE", "README.md") for line in (ROOT / name).read_text().splitlines()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type="bpe",
        vocab_size=700,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        num_threads=1,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    ids = range(processor.vocab_size())
    reference = {
        "made_by": "scripts/make_sentencepiece_reference.py",
        "versions": {"sentencepiece": version("sentencepiece")},
        "pieces": [processor.id_to_piece(i) for i in ids],
        "scores": [processor.get_score(i) for i in ids],
        "types": [_type(processor, i) for i in ids],
        "cases": [
            {"text": text, "ids": processor.encode(text), "decoded": processor.decode(processor.encode(text))}
            for text in TEXTS
        ],
    }
    Path(output).write_text(json.dumps(reference) + "\n", encoding="utf-8")


def _type(processor: sentencepiece.SentencePieceProcessor, token_id: int) -> int:
    if processor.is_unknown(token_id):
        return UNKNOWN
    if processor.is_control(token_id):
        return CONTROL
    return BYTE if processor.is_byte(token_id) else NORMAL


if __name__ == "__main__":
    main(*sys.argv[1:])
