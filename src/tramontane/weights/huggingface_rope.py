"""How config.json describes rotary positions."""

import msgspec
import numpy as np
import numpy.typing as npt

from tramontane.errors import ModelStoreError
from tramontane.weights.rope import (
    LinearScaling,
    Llama3Scaling,
    RopeScaling,
    YarnScaling,
    inverse_frequencies,
    yarn_magnitude,
)


class Rope(msgspec.Struct, kw_only=True):
    """`rope_scaling` of older files, `rope_parameters` of newer ones, which hold the base as well."""

    rope_type: str | None = None
    type: str | None = None
    rope_theta: float | None = None
    factor: float | None = None
    low_freq_factor: float | None = None
    high_freq_factor: float | None = None
    original_max_position_embeddings: int | None = None
    beta_fast: float | None = None
    beta_slow: float | None = None
    truncate: bool = True
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    llama_4_scaling_beta: float | None = None

    def frequencies(self, head_size: int, base: float, context: int) -> tuple[npt.NDArray[np.float32], float]:
        """Radians a position of each pair of a head, and what rotated heads are multiplied by.

        Args:
            head_size: of the attention.
            base: where this does not say.
            context: the longest, in tokens.

        Raises:
            ModelStoreError: a rule that is not known, or lacks parameters.
        """
        scaling = self._scaling(context)
        frequencies = inverse_frequencies(head_size, self.rope_theta or base)
        if scaling is not None:
            frequencies = scaling.apply(frequencies)
        return frequencies.astype(np.float32), self._magnitude()

    @property
    def _kind(self) -> str:
        return self.rope_type or self.type or "default"

    def _scaling(self, context: int) -> RopeScaling | None:
        original = self.original_max_position_embeddings
        match self._kind:
            # "dynamic" changes nothing within the longest context, and further nothing is served.
            case "default" | "dynamic":
                return None
            case "linear" if self.factor:
                return LinearScaling(self.factor)
            case "llama3" if self.factor and self.low_freq_factor and self.high_freq_factor and original:
                return Llama3Scaling(self.factor, self.low_freq_factor, self.high_freq_factor, original)
            case "yarn" if self.factor:
                return YarnScaling(
                    self.factor,
                    original or context,
                    self.beta_fast or 32.0,
                    self.beta_slow or 1.0,
                    self.truncate,
                )
            case "linear" | "llama3" | "yarn" as name:
                raise ModelStoreError(f'Its rope scaling "{name}" lacks parameters')
            case name:
                raise ModelStoreError(
                    f'Its rope scaling is "{name}"; supported are linear, dynamic, llama3 and yarn'
                )

    def _magnitude(self) -> float:
        if self._kind != "yarn":
            return 1.0
        if self.attention_factor is not None:
            return self.attention_factor
        factor = self.factor or 1.0
        if self.mscale and self.mscale_all_dim:
            return yarn_magnitude(factor, self.mscale) / yarn_magnitude(factor, self.mscale_all_dim)
        return yarn_magnitude(factor)
