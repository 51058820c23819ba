"""The limit: the engine library's own loop in a process of its own, with nothing around it.

Reads one JSON request a line on standard input, writes one JSON result a line on standard output.
"""

import json
import sys
import time
from typing import Any

import numpy as np
import openvino as ov
import openvino_genai as genai


def run(pipeline: Any, prompts: list[list[int]], tokens: int, first_id: int) -> dict[str, float]:
    """Continue all prompts side by side by exactly `tokens` tokens, greedily."""
    config = genai.GenerationConfig()
    config.max_new_tokens = tokens
    config.ignore_eos = True
    config.set_eos_token_id(0)  # it wants one, also to ignore it
    started = time.perf_counter()
    handles = [
        pipeline.add_request(first_id + index, ov.Tensor(np.array([prompt], dtype=np.int64)), config)
        for index, prompt in enumerate(prompts)
    ]
    generated = 0
    first = 0.0
    while pipeline.has_non_finished_requests():
        pipeline.step()
        for handle in handles:
            while handle.can_read():
                generated += sum(len(output.generated_ids) for output in handle.read().values())
        if generated and not first:
            first = time.perf_counter() - started
    return {"first_token": first, "total": time.perf_counter() - started, "tokens": generated}


def main() -> None:
    """Load the artifact given as the argument, then serve requests until standard input ends."""
    scheduler = genai.SchedulerConfig()
    scheduler.num_kv_blocks = int(sys.argv[2]) // 32
    scheduler.enable_prefix_caching = True
    scheduler.dynamic_split_fuse = True
    scheduler.max_num_batched_tokens = 256
    properties = {"KEY_CACHE_QUANT_MODE": "BY_TOKEN", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}  # as served
    pipeline = genai.ContinuousBatchingPipeline(sys.argv[1], scheduler, "CPU", properties)
    print(json.dumps({"ready": True}), flush=True)
    next_id = 0
    for line in sys.stdin:
        request = json.loads(line)
        result = run(pipeline, request["prompts"], request["tokens"], next_id)
        next_id += len(request["prompts"])
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
