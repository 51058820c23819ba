"""LoRA adapters as the `peft` library saves them, worked into the weights that they were trained on.

"LoRA" (arXiv 2106.09685): a matrix W becomes W + B A · alpha / rank, or alpha / √rank (arXiv 2312.03732).
"""

import re
from collections.abc import Collection, Mapping
from math import sqrt
from pathlib import Path

import msgspec

from tramontane.errors import ModelStoreError
from tramontane.weights.huggingface_decoder import decoder_tensor_name
from tramontane.weights.json_file import read_json
from tramontane.weights.safetensors import SafetensorsFolder
from tramontane.weights.tensors import Tensor, TensorSource, floats, from_floats, require_shape

CONFIG = "adapter_config.json"
STEM = "adapter_model"

_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"


class _ConfigFile(msgspec.Struct, kw_only=True):
    peft_type: str = "LORA"
    r: int
    lora_alpha: float
    use_rslora: bool = False
    use_dora: bool = False
    fan_in_fan_out: bool = False
    rank_pattern: dict[str, int] = {}
    alpha_pattern: dict[str, float] = {}


class Adapter:
    """The adapter in `folder`.

    Raises:
        ModelStoreError: it is damaged or incomplete, or needs what is not supported.
    """

    def __init__(self, folder: Path) -> None:
        self._config = read_json(folder / CONFIG, _ConfigFile)
        if self._config.peft_type != "LORA":
            raise ModelStoreError(f"The adapter is {self._config.peft_type}; supported is LORA")
        if self._config.use_dora or self._config.fan_in_fan_out:
            raise ModelStoreError("The adapter sets use_dora or fan_in_fan_out, which is not supported")
        self._tensors = SafetensorsFolder(folder, STEM)
        self._deltas: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        for stored in self._tensors.names:
            self._sort(stored)

    @property
    def changed(self) -> Collection[str]:
        """The tensors of the model that become others."""
        return {*self._deltas, *self._whole}

    def apply(self, tensor: Tensor) -> Tensor:
        """`tensor` as the adapter wants it.

        Raises:
            ModelStoreError: the two do not fit.
        """
        if stored := self._whole.get(tensor.name):
            other = self._tensors.read(stored)
            require_shape(other, tensor.shape)
            return from_floats(tensor, floats(other))
        if (module := self._deltas.get(tensor.name)) is None:
            return tensor
        down, up = floats(self._tensors.read(module + _A)), floats(self._tensors.read(module + _B))
        if (
            up.ndim != 2
            or down.ndim != 2
            or (len(up), up.shape[1], down.shape[1])
            != (
                tensor.shape[0],
                len(down),
                tensor.shape[-1],
            )
        ):
            raise ModelStoreError(
                f"The adapter's matrices {list(up.shape)} and {list(down.shape)} "
                f"do not fit tensor {tensor.name}"
            )
        return from_floats(tensor, floats(tensor) + self._scale(module, len(down)) * (up @ down))

    def _sort(self, stored: str) -> None:
        """Put the tensor where it belongs: a pair that is added to a matrix, or one that takes its place."""
        if not stored.startswith(_PREFIX):
            raise ModelStoreError(f"The adapter has a tensor {stored}, which is not supported")
        name = decoder_tensor_name(stored.removeprefix(_PREFIX))
        if name is None or ("lora_" in name and not name.endswith((_A, _B))):
            raise ModelStoreError(f"The adapter has a tensor {stored}, which is not supported")
        if name.endswith(_A):
            self._deltas[name.removesuffix(_A) + ".weight"] = stored.removesuffix(_A)
        elif not name.endswith(_B):
            self._whole[name] = stored

    def _scale(self, module: str, rank: int) -> float:
        """Patterns are regular expressions for the end of a module's name, as `peft` takes them."""
        alpha = _of_pattern(self._config.alpha_pattern, module, self._config.lora_alpha)
        return float(alpha) / (sqrt(rank) if self._config.use_rslora else rank)


class AdaptedTensors:
    """The tensors of `source` with an adapter worked in.

    Raises:
        ModelStoreError: the adapter changes what the model does not have.
    """

    def __init__(self, source: TensorSource, adapter: Adapter) -> None:
        self._source = source
        self._adapter = adapter
        if missing := sorted(set(adapter.changed).difference(source.names)):
            raise ModelStoreError(
                f"The adapter is for another model: it changes {missing[0]}, which this one lacks"
            )

    @property
    def names(self) -> Collection[str]:
        """Every tensor there is."""
        return self._source.names

    def read(self, name: str) -> Tensor:
        """The tensor `name`.

        Raises:
            ModelStoreError: there is none, or the adapter does not fit it.
        """
        return self._adapter.apply(self._source.read(name))


def _of_pattern(patterns: Mapping[str, float], module: str, default: float) -> float:
    for pattern, value in patterns.items():
        try:
            if re.match(rf"(.*\.)?({pattern})$", module):
                return value
        except re.error as error:
            raise ModelStoreError(f"The adapter's pattern {pattern!r} cannot be read: {error}") from error
    return default
