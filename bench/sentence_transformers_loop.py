"""The peer of embeddings, in the environment of `make test-reference`: sentence-transformers on torch.

python bench/sentence_transformers_loop.py FOLDER; speaks lines of JSON, see `bench/lines.py`.
"""

import base64
import json
import sys
import time

import numpy as np
import sentence_transformers
import torch
from sentence_transformers import SentenceTransformer

BATCH = 64


def main(folder: str) -> None:
    """Embed the texts of each line as users of the library do."""
    model = SentenceTransformer(folder, device="cpu")
    model.encode(["warm"])
    versions = f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}"
    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        texts = json.loads(line)["texts"]
        started = time.perf_counter()
        vectors = model.encode(texts, batch_size=min(len(texts), BATCH), show_progress_bar=False)
        seconds = time.perf_counter() - started
        data = base64.b64encode(np.ascontiguousarray(vectors, "<f4").tobytes()).decode()
        print(json.dumps({"seconds": seconds, "vectors": data}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
