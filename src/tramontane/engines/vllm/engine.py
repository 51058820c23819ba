"""The engine that the server sees. vLLM is in a worker process, perhaps of another Python, not here."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tramontane.engines.control_characters import control_characters
from tramontane.engines.protocol import Ability, EngineInfo
from tramontane.engines.vllm.grammars import CONFIG_KEY, grammar_tokens_of
from tramontane.engines.vllm.messages import LoadVllm
from tramontane.engines.worker.generation import WorkerGenerationEngine
from tramontane.engines.worker.messages import Reply
from tramontane.engines.worker.process import WorkerSpec
from tramontane.engines.worker.supervisor import RestartPolicy
from tramontane.engines.worker.watchdog import WatchPolicy
from tramontane.weights.artifact import Artifact

ABILITIES: Final = frozenset({Ability.GRAMMAR, Ability.LOGPROBS})
_MODULE: Final = "tramontane.engines.vllm.worker"
_ROOT_CAUSE: Final = re.compile(r"\] +(?P<cause>\w+(?:Error|Exception): .+)")
"""In the log of vLLM's own processes, each line of which begins with the place in its source in brackets."""
_POLICY: Final = RestartPolicy(watch=WatchPolicy(loading=7200.0))
"""Its own processes load the model, for as long as it takes to read hundreds of gigabytes."""
_EXIT_GRACE_SECONDS: Final = 20.0
"""vLLM ends its own processes one after another."""
_DEFAULTS: Final[Mapping[str, object]] = {
    "disable_log_stats": True,
    "enable_prefix_caching": True,
}


class VllmGenerationEngine(WorkerGenerationEngine):
    """Continues prompts with vLLM, on whatever it runs on: GPUs of one machine or of many, or a CPU.

    Args:
        artifact: the text side of the model; see `weights/text_side.py`.
        source: folder of the weights, which vLLM loads by itself.
        arguments: vLLM's own settings (`AsyncEngineArgs`), which go before ours.
        slots: how many requests run side by side (vLLM's `max_num_seqs`).
        adapters: folders of LoRA adapters by name; requests choose one by `adapter` of `generate`.
        python: interpreter of an environment that has vLLM and this package.
        policy: of the restarts of a worker that died.

    The same seed gives the same answer to a request that runs alone; in a batch with others, rounding differs
    with the batch, and with it now and then a token.
    """

    def __init__(
        self,
        artifact: Artifact,
        source: Path,
        arguments: Mapping[str, Any],
        *,
        slots: int = 16,
        adapters: Mapping[str, Path] | None = None,
        python: Path | None = None,
        policy: RestartPolicy | None = None,
    ) -> None:
        manifest = artifact.manifest
        context = int(arguments.get("max_model_len") or manifest.max_context_length)
        info = EngineInfo(
            name="vllm",
            vocabulary_size=manifest.vocabulary_size,
            max_context_length=context,
            slots=slots,
            abilities=ABILITIES,
            control_characters=control_characters((*manifest.special_token_ids, *manifest.stop_token_ids)),
        )
        ours = {"model": str(source), "max_model_len": context, "max_num_seqs": slots, **_DEFAULTS}
        folders = {name: str(folder) for name, folder in (adapters or {}).items()}
        if folders:
            ours |= {"enable_lora": True, "max_loras": len(folders)}
        additional = {
            **arguments.get("additional_config", {}),
            CONFIG_KEY: str(grammar_tokens_of(artifact)),
        }
        hello = LoadVllm({**ours, **arguments, "additional_config": additional}, folders)
        spec = WorkerSpec(
            module=_MODULE,
            hello=hello,
            reply_type=Reply,
            python=python or Path(sys.executable),
            root_cause=_ROOT_CAUSE,
            exit_grace=_EXIT_GRACE_SECONDS,
        )
        super().__init__(info, str(source), spec, policy or _POLICY)
