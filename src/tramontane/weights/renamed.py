"""Tensors under other names than their file has."""

from collections.abc import Callable, Collection
from dataclasses import replace

from tramontane.errors import ModelStoreError
from tramontane.weights.tensors import Tensor, TensorSource


class RenamedTensors:
    """The `TensorSource` of `source`, each tensor under what `name_of` makes of its name; None hides it.

    Raises:
        ModelStoreError: two tensors get the same name.
    """

    def __init__(self, source: TensorSource, name_of: Callable[[str], str | None]) -> None:
        self._source = source
        self._stored: dict[str, str] = {}
        for stored in source.names:
            name = name_of(stored)
            if name is None:
                continue
            if name in self._stored:
                raise ModelStoreError(f"The tensors {self._stored[name]} and {stored} stand for the same one")
            self._stored[name] = stored

    @property
    def names(self) -> Collection[str]:
        """Every tensor there is."""
        return self._stored.keys()

    def read(self, name: str) -> Tensor:
        """The tensor `name`.

        Raises:
            ModelStoreError: there is none, or it is stored in a way that is not supported.
        """
        try:
            stored = self._stored[name]
        except KeyError:
            raise ModelStoreError(f"The weights lack the tensor {name}") from None
        return replace(self._source.read(stored), name=name)
