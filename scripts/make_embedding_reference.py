# ruff: noqa: RUF001 - texts with letters that look like others are what this file is for
"""Make `tests/golden/minilm_reference.json`: what sentence-transformers says of texts of all kinds.

Needs torch and sentence-transformers, which the project does without; run it in an environment of its own:

    python scripts/make_embedding_reference.py FOLDER_OF_ALL_MINILM_L6_V2 tests/golden/minilm_reference.json
"""

import base64
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

PROSE = (
    "The tramontane is a cold and dry wind that blows from the north, "
    "between the Pyrenees and the Massif Central. "
)
TEXTS = (
    # Empty, or nearly so.
    "",
    " ",
    "\n\t \r\n",
    "a",
    "Z",
    "7",
    ".",
    "?!…,;:—()[]{}",
    "' \" ` ´",
    # Plain.
    "Hello, world!",
    "HELLO, WORLD!",
    "The quick brown fox jumps over the lazy dog.",
    "tHe QuIcK bRoWn FoX jUmPs OvEr ThE lAzY dOg.",
    "How do I reset my password?",
    "I forgot my login credentials, what should I do?",
    "Invoice #4711: 1,299.00 EUR, due 2026-11-30 (net 14).",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "x" * 150,
    # Long: below, around and far above the 256 tokens that the model reads.
    PROSE * 4,
    PROSE * 9,
    PROSE * 10 + "Here it is cut.",
    PROSE * 200,
    "word " * 254,
    "word " * 255,
    "漢" * 1000,
    # Languages.
    "Où est la bibliothèque ? Être ou ne pas être, voilà l'été à Sète.",
    "Der Straßenverkäufer ißt Äpfel, Öl und Übermut.",
    "naïve façade, coöperate, Ångström, Dvořák, Łódź, İstanbul",
    "Cafe\u0301 and caf\u00e9 are written apart and read alike.",
    "东京是日本的首都。今天天气很好。",
    "東京タワーはどこですか。",
    "서울은 대한민국의 수도입니다.",
    "القاهرة هي عاصمة مصر.",
    "ירושלים של זהב, שָׁלוֹם",
    "Привет, как дела? Ёжик в тумане.",
    "Η γρήγορη αλεπού πηδάει.",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    # Symbols, code, oddities.
    "I ❤️ 🍕 and 👩‍👩‍👧‍👦 in 🇫🇷 👍🏽",
    "🙂",
    "def f(x: int) -> int:\n    return x ** 2  # squared\n",
    "SELECT id, name FROM users WHERE created_at > '2026-01-01' ORDER BY 1;",
    '<p class="a">&nbsp;5 &lt; 6</p> https://example.org/a?b=c&d=%20#e',
    "∑_{i=1}^{n} i² = n(n+1)(2n+1)/6 ≈ ∞",
    "null\x00byte, bell\x07, escape\x1b[31mred\x1b[0m, soft\u00adhyphen",
    "zero\u200bwidth\u200djoin, \ufeffmark, \u202eright to left\u202c",
    "full-width ＡＢＣ１２３ and ligature ﬁ",
    "[CLS] special [SEP] tokens [MASK] in a text [UNK] [PAD]",
)


def main(model_folder: str, output: str) -> None:
    """Embed every text alone, in 32 bits on the CPU."""
    model = SentenceTransformer(model_folder, device="cpu")
    vectors = [np.asarray(model.encode([text], normalize_embeddings=True)[0], np.float32) for text in TEXTS]
    reference = {
        "model": "sentence-transformers/all-MiniLM-L6-v2",
        "made_by": "scripts/make_embedding_reference.py",
        "versions": {name: version(name) for name in ("sentence-transformers", "transformers", "torch")},
        "vectors_are": "base64 of little-endian 32-bit floats",
        "cases": [
            {"text": text, "vector": base64.b64encode(vector.astype("<f4").tobytes()).decode()}
            for text, vector in zip(TEXTS, vectors, strict=True)
        ],
    }
    Path(output).write_text(json.dumps(reference, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
