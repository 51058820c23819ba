"""Servers that take token ids, as vLLM and llama.cpp do, with the fake engine's tokens."""

import asyncio
from contextlib import aclosing

from tests.support.upstream_stand_in import DONE, end_stream, refuses, send, start_stream
from tramontane.core.events import FinishReason
from tramontane.core.prompt import TokensPrompt
from tramontane.core.sampling import SamplingParams


def vllm(engine):
    """What vLLM does to a POST: a stop token is the last of the ids, and the usage comes with each chunk."""

    async def act(stand_in, request, writer):
        body = request.body
        if request.path != "/v1/completions":
            await refuses(404)(stand_in, request, writer)
            return
        prompt, stops = TokensPrompt(body["prompt"]), frozenset(body["stop_token_ids"])
        params = SamplingParams(
            max_tokens=body["max_tokens"], min_tokens=body["min_tokens"], stop_token_ids=stops
        )
        await start_stream(writer)
        made = 0
        async with aclosing(engine.generate(prompt, params)) as deltas:
            async for delta in deltas:
                ids = list(delta.token_ids)
                if delta.finish_reason is FinishReason.STOP and stops:
                    ids.append(min(stops))
                made += len(ids)
                choice = {
                    "index": 0,
                    "text": bytes(token for token in ids if token < 256).decode(errors="replace"),
                    "token_ids": ids,
                    "finish_reason": delta.finish_reason and delta.finish_reason.value,
                }
                if "logprobs" in body:
                    choice["logprobs"] = {"token_logprobs": [-0.5] * len(ids)}
                usage = {"prompt_tokens": len(prompt), "completion_tokens": made}
                await send(writer, {"object": "text_completion", "choices": [choice], "usage": usage})
        await send(writer, {"choices": [], "usage": usage})
        await send(writer, DONE)
        await end_stream(writer)

    return act


def llama_cpp(engine):
    """What llama.cpp's server does: it knows nothing of our stop tokens."""

    async def act(stand_in, request, writer):
        body = request.body
        if request.path != "/completion":
            await refuses(404)(stand_in, request, writer)
            return
        prompt = TokensPrompt(body["prompt"])
        params = SamplingParams(max_tokens=body["n_predict"])
        await start_stream(writer)
        async with aclosing(engine.generate(prompt, params)) as deltas:
            async for delta in deltas:
                for token in delta.token_ids:
                    timings = {"cache_n": 3, "prompt_n": len(prompt) - 3}
                    await send(writer, {"content": "?", "tokens": [token], "stop": False, "timings": timings})
                    await asyncio.sleep(0)
                if delta.finish_reason is not None:
                    limit = delta.finish_reason is FinishReason.LENGTH
                    await send(
                        writer,
                        {"content": "", "tokens": [], "stop": True, "stop_type": "limit" if limit else "eos"},
                    )
        await end_stream(writer)

    return act
