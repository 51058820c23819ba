"""What a model needs, whether this machine has it, and what it would be run with. Pure arithmetic, in bytes.

    memory = weights + keys and values + what the engine takes besides

Keys and values of one token are `2 * layers * kv_heads * head_size` numbers. The CPU engine keeps each in 8
bits and a scale and a zero point of 32 bits for each head; vLLM keeps them in 16 bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tramontane.catalog.machine import Machine
from tramontane.catalog.shape import ModelShape
from tramontane.engines.openvino.cache_size import cache_bytes_per_token

BITS: Final[Mapping[str, float]] = {"none": 16, "int8": 8.5, "int4": 4.5}
"""Bits a weight of the CPU engine's forms, as the setting `quantization` names them, scales included."""
_ENGINE_BYTES: Final = 400 * 1024 * 1024
"""Of a worker process beside weights and cache; measured with small models."""
_USABLE: Final = 0.9
"""Of what is available: the rest is for answers on their way and for all other programs."""
_KEPT_IN_8_BITS: Final = ("Q4_1", "Q5_", "Q6_", "Q2_", "Q3_", "IQ")
"""GGUF forms for which the CPU engine has no equal one, and takes 8 bits."""


class Fit(StrEnum):
    """Whether there is room."""

    YES = "yes"
    TIGHT = "tight"
    """The machine has the memory, but other programs use it now."""
    NO = "no"


@dataclass(frozen=True, slots=True)
class Choice:
    """One form of the weights that the model could be run in."""

    quantization: str
    download: int
    """What has to be fetched for it."""
    weights: int
    """What they take in memory."""
    file: str | None = None
    """The one GGUF file; None for weights that are quantised here."""


@dataclass(frozen=True, slots=True)
class Need:
    """A choice, with all that it needs."""

    choice: Choice
    kv_cache: int
    memory: int
    fit: Fit
    """In this machine's memory."""
    fits_gpu: bool
    """In the memory of its GPUs together, in 16 bits a key or value."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All choices, and the one that would be made."""

    needs: Sequence[Need]
    picked: Need | None
    """None if nothing fits."""
    engine: str
    context_tokens: int
    """Of all running answers together."""
    kv_bytes_per_token: int


def make_plan(
    choices: Sequence[Choice],
    shape: ModelShape | None,
    machine: Machine,
    *,
    context_tokens: int,
    preferred: str | None = None,
    gpu_engine: str | None = None,
) -> Plan:
    """What each of `choices` needs here, and which one to take.

    Args:
        choices: the better ones first.
        shape: None if nobody knows it; then keys and values are not counted.
        machine: what there is.
        context_tokens: to be kept for all running answers together.
        preferred: the quantisation that would be taken; None for the best that fits.
        gpu_engine: the engine that would be taken on a GPU, if this release has one.
    """
    per_token = kv_bytes_per_token(shape) if shape else 0
    needs = [_need(choice, per_token, context_tokens, machine, shape) for choice in choices]
    wanted = [need for need in needs if preferred in {None, need.choice.quantization}]
    on_gpu = gpu_engine is not None and any(need.fits_gpu for need in wanted)
    picked = next((need for need in wanted if on_gpu and need.fits_gpu), None) or _best(wanted)
    return Plan(needs, picked, gpu_engine if on_gpu and gpu_engine else "openvino", context_tokens, per_token)


def quantized_here(parameters: int, download: int) -> list[Choice]:
    """The forms that weights of `parameters` numbers can be run in."""
    return [Choice(name, download, round(parameters * bits / 8)) for name, bits in BITS.items()]


def ready_quantized(file: str, quantization: str, size: int) -> Choice:
    """A GGUF file of `size` bytes. What the engine has no equal form for takes more memory than on disk."""
    weights = size
    if quantization.startswith(_KEPT_IN_8_BITS):
        bits = (
            5.0
            if quantization == "Q4_1"
            else float(next(sign for sign in quantization if sign.isdecimal())) + 0.6
        )
        weights = round(size * 8.5 / bits)
    return Choice(quantization, size, weights, file)


def kv_bytes_per_token(shape: ModelShape) -> int:
    """Of the CPU engine's cache."""
    return cache_bytes_per_token(shape.layers, shape.kv_heads, shape.head_size)


def least_memory(choices: Sequence[Choice]) -> int:
    """Without which none of `choices` can run at all."""
    return min(choice.weights for choice in choices) + _ENGINE_BYTES


def _best(needs: Sequence[Need]) -> Need | None:
    """The best that fits; the smallest if room is tight; None without any."""
    fitting = [need for need in needs if need.fit is Fit.YES]
    if fitting:
        return fitting[0]
    tight = [need for need in needs if need.fit is Fit.TIGHT]
    return min(tight, key=lambda need: need.memory, default=None)


def _need(
    choice: Choice, per_token: int, context_tokens: int, machine: Machine, shape: ModelShape | None
) -> Need:
    kv_cache = per_token * context_tokens
    memory = choice.weights + kv_cache + _ENGINE_BYTES
    half_floats = 4 * shape.layers * shape.kv_heads * shape.head_size * context_tokens if shape else 0
    gpu = sum(gpu.memory for gpu in machine.gpus)
    return Need(
        choice,
        kv_cache,
        memory,
        _fit(memory, machine),
        fits_gpu=choice.weights + half_floats + _ENGINE_BYTES <= gpu * _USABLE,
    )


def _fit(memory: int, machine: Machine) -> Fit:
    if memory <= machine.available * _USABLE:
        return Fit.YES
    return Fit.TIGHT if memory <= machine.memory * _USABLE else Fit.NO
