"""What the `transformers` library computes, for the tests to hold the engine against.

Runs in an environment of its own, `.venv-reference`, with nothing but torch and transformers:

    python transformers_reference.py < REQUEST > ANSWER

The request is JSON: `decoders` {name: folder} and their `prompt`, `embedders` {name: folder} and their
`texts` (token ids all). The answer has the logits after each token of the prompt, and the vector of each
text, pooled here as the files of sentence-transformers say. Everything is in 32-bit floats.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModel, AutoModelForCausalLM


def logits(folder: str, prompt: list[int]) -> list[list[float]]:
    """[tokens, vocabulary]."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    with torch.inference_mode():
        return model(torch.tensor([prompt])).logits[0].tolist()


def vectors(folder: str, texts: list[list[int]]) -> list[list[float]]:
    """[texts, size], each text alone."""
    model = AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    modules = json.loads(Path(folder, "modules.json").read_text())
    pooling = json.loads(Path(folder, "1_Pooling", "config.json").read_text())
    answers = []
    for text in texts:
        with torch.inference_mode():
            hidden = model(torch.tensor([text])).last_hidden_state[0]
        if pooling.get("pooling_mode_cls_token"):
            vector = hidden[0]
        elif pooling.get("pooling_mode_lasttoken"):
            vector = hidden[-1]
        else:
            vector = hidden.mean(0)
        if any(module["type"].endswith("Normalize") for module in modules):
            vector = vector / vector.norm()
        answers.append(vector.tolist())
    return answers


def main() -> None:
    """Answer the request."""
    request = json.load(sys.stdin)
    answer = {
        "decoders": {name: logits(folder, request["prompt"]) for name, folder in request["decoders"].items()},
        "embedders": {
            name: vectors(folder, request["texts"]) for name, folder in request["embedders"].items()
        },
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
