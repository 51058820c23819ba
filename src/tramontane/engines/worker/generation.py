"""Answers that come from a worker."""

from collections.abc import AsyncGenerator

from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams
from tramontane.engines.checks import check_generation
from tramontane.engines.grammar_limits import check_grammar
from tramontane.engines.protocol import EngineDelta, EngineInfo
from tramontane.engines.worker.engine import WorkerEngine, error_of
from tramontane.engines.worker.mailbox import Mailbox
from tramontane.engines.worker.messages import Abort, Failed, Generate, Reply, Step
from tramontane.engines.worker.process import WorkerSpec
from tramontane.engines.worker.supervisor import RestartPolicy
from tramontane.errors import ApiError


class WorkerGenerationEngine(WorkerEngine):
    """Continues prompts in a worker that takes `Generate` and `Abort`; otherwise as `WorkerEngine`."""

    def __init__(self, info: EngineInfo, name: str, spec: WorkerSpec, policy: RestartPolicy | None) -> None:
        super().__init__(info, name, spec, policy)
        self._mailboxes: dict[int, Mailbox] = {}

    async def generate(
        self, prompt: TokensPrompt, params: SamplingParams, adapter: str | None = None
    ) -> AsyncGenerator[EngineDelta]:
        """Continue `prompt`; see the protocol. `adapter` is one of those that the worker was given."""
        params = check_generation(prompt, params, self._info)
        check_grammar(params, self._info.control_characters)
        command = Generate(next(self._ids), list(prompt.token_ids), params, adapter)
        worker = await self._supervisor.worker()
        mailbox = self._mailboxes[command.id] = Mailbox()
        worker.send(command)
        try:
            while True:
                delta = await mailbox.take()
                yield delta
                if delta.finish_reason is not None:
                    return
        finally:
            if self._mailboxes.pop(command.id, None) is not None:
                worker.send(Abort(command.id))

    def _deliver(self, reply: Reply) -> None:
        match reply:
            case Step(tokens):
                for item in tokens:
                    mailbox = self._mailboxes.get(item.id)
                    if mailbox is None:
                        continue  # aborted; the worker does not know it yet
                    mailbox.put(item.token_ids, item.finish_reason, item.cached_tokens, item.logprobs)
                    if item.finish_reason is not None:
                        del self._mailboxes[item.id]
            case Failed():
                if mailbox := self._mailboxes.pop(reply.id, None):
                    mailbox.fail(error_of(reply))

    def _fail_all(self, error: ApiError) -> None:
        mailboxes, self._mailboxes = self._mailboxes, {}
        for mailbox in mailboxes.values():
            mailbox.fail(error)
