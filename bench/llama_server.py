"""The peer of inference, in an environment of its own: llama.cpp's server, from the wheel `xllamacpp`.

python bench/llama_server.py MODEL.gguf SLOTS CONTEXT_TOKENS; says where it listens in a line of JSON, and
runs until its standard input ends.
"""

import importlib.metadata
import json
import os
import sys

import xllamacpp


def main(model: str, slots: int, context: int) -> None:
    """Serve with llama.cpp's own defaults but for the size of the cache, one thread a core."""
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = context
    params.n_parallel = slots
    params.kv_unified = True
    params.cpuparams.n_threads = len(os.sched_getaffinity(0))
    params.cpuparams_batch.n_threads = params.cpuparams.n_threads
    params.port = 0
    server = xllamacpp.Server(params)
    version = importlib.metadata.version("xllamacpp")
    hello = {"base_url": server.listening_address, "versions": f"llama.cpp's server (xllamacpp {version})"}
    print(json.dumps(hello), flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # it logs several lines a request
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
