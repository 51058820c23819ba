"""Run graphs and pipelines in a process of its own: a crash of the engine is then a failed test, no more.

In tests call `run_graphs` and `run_pipelines`. As a script this reads one JSON document and writes one.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import openvino_genai as genai

EXACT = {
    "INFERENCE_PRECISION_HINT": "f32",
    "KV_CACHE_PRECISION": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
}
"""Properties under which the engine rounds nothing that it need not."""


def run_graphs(
    paths: dict[str, Path], inputs: dict[str, list], properties: dict | None = None
) -> dict[str, np.ndarray]:
    """The first output of each graph for the same inputs, by name."""
    outputs = _run(
        "graphs", paths, {"inputs": inputs, "properties": EXACT if properties is None else properties}
    )
    return {name: np.array(output) for name, output in outputs.items()}


def run_pipelines(
    paths: dict[str, Path], prompt: list[int], new_tokens: int, properties: dict | None = None
) -> dict[str, dict]:
    """`tokens` (greedy) and `log_probs` (of prompt[1:] and of the tokens) of each model, one batch each."""
    task = {
        "prompt": prompt,
        "new_tokens": new_tokens,
        "properties": EXACT if properties is None else properties,
    }
    return _run("pipelines", paths, task)


def _run(kind: str, paths: dict[str, Path], task: dict) -> dict:
    document = json.dumps({"kind": kind, "paths": {n: str(p) for n, p in paths.items()}, **task})
    child = subprocess.run(
        [sys.executable, __file__], input=document, capture_output=True, text=True, check=False, timeout=60
    )
    assert child.returncode == 0, f"{child.returncode}: {child.stderr[-2000:]}"
    return json.loads(child.stdout)


def _graph(path: str, task: dict) -> list:
    compiled = ov.Core().compile_model(path, "CPU", task["properties"])
    inputs = {
        name: np.array(value, np.int32 if name == "beam_idx" else np.int64)
        for name, value in task["inputs"].items()
    }
    return compiled.create_infer_request().infer(inputs)[0].tolist()


def _pipeline(folder: str, task: dict) -> dict:
    scheduler = genai.SchedulerConfig()
    scheduler.num_kv_blocks = 64
    pipeline = genai.ContinuousBatchingPipeline(folder, scheduler, "CPU", task["properties"])
    config = genai.GenerationConfig()
    config.max_new_tokens = task["new_tokens"]
    config.set_eos_token_id(0)
    config.ignore_eos = True
    config.echo = True
    config.logprobs = 1
    handle = pipeline.add_request(0, ov.Tensor(np.array([task["prompt"]], np.int64)), config)
    tokens, log_probs = [], []
    while pipeline.has_non_finished_requests():
        pipeline.step()
        while handle.can_read():
            output = handle.read()[0]
            tokens += output.generated_ids
            log_probs += output.generated_log_probs
    # With echo the prompt comes first, and its first token has no probability.
    prompt_tokens = len(task["prompt"])
    return {"tokens": tokens[prompt_tokens:], "log_probs": log_probs[1:]}


if __name__ == "__main__":
    document = json.load(sys.stdin)
    run = {"graphs": _graph, "pipelines": _pipeline}[document["kind"]]
    print(json.dumps({name: run(path, document) for name, path in document["paths"].items()}))
