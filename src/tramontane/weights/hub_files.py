"""Which files of a repository are the model, in one form: many hold the same weights in several."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatch
from typing import Final

from tramontane.errors import ModelStoreError
from tramontane.weights.hub import HubFile, HubListing
from tramontane.weights.source import HubSource

_COMPANIONS: Final = (
    "*.json", "*.jinja", "*.model", "tokenizer.model.v*", "vocab.txt", "merges.txt", "LICENSE*", "NOTICE*",
)  # fmt: skip
"""Configurations, tokenizers and terms, in the repository's root."""
_MODULES: Final = ("*_Pooling/config.json", "*_Normalize/config.json", "*_Dense/config.json")
"""Of embedding models in the form of Sentence Transformers."""
_WEIGHTS: Final = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
_PART_OF_GGUF: Final = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)
_PREFERRED: Final = (
    "Q4_K_M",
    "Q4_K_S",
    "Q4_0",
    "Q5_K_M",
    "Q5_K_S",
    "Q8_0",
    "Q6_K",
    "Q4_1",
    "IQ4_NL",
    "IQ4_XS",
)
"""Of the quantisations of a repository, when nobody chooses: 4 bits, as the field does."""
_QUANTIZATION: Final = re.compile(
    r"(?:^|[-._])((?:IQ[1-4]|Q[2-8])(?:_(?:K_)?[A-Z0-9]{1,3}|_K|_0|_1)?(?:_[A-Z]{1,3})?|BF16|F16|FP16|F32)(?=[-._]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NeededFiles:
    """What has to be fetched."""

    files: Sequence[HubFile]
    entry: str = ""
    """The file that is the model; empty if the folder is."""

    @property
    def has_weights(self) -> bool:
        """There is something to run among them, not only what is needed to speak to it."""
        return any(file.path.endswith((".safetensors", ".gguf", ".bin", ".xml")) for file in self.files)

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(file.size for file in self.files)


def needed_files(listing: HubListing, source: HubSource) -> NeededFiles:
    """The files of the model that `source` names.

    Raises:
        ModelStoreError: there is no such file, or nothing that could be loaded; says what there is.
    """
    if source.text_only:
        return NeededFiles(_companions(listing, ()))
    if source.file is not None:
        return _of_gguf(listing, _named(listing, source.file))
    if source.quantization is not None:
        return _of_gguf(listing, _quantized(listing, source.quantization))
    for weights in (_huggingface(listing), _mistral(listing), _openvino(listing)):
        if weights:
            return NeededFiles([*weights, *_companions(listing, weights)])
    return _of_gguf(listing, _default_gguf(listing))


def quantization_of(name: str) -> str | None:
    """The quantisation that the name of a GGUF file speaks of, in capitals."""
    found = _QUANTIZATION.findall(name.rpartition("/")[2].removesuffix(".gguf"))
    return found[-1].upper() if found else None


def gguf_files(listing: HubListing) -> list[HubFile]:
    """The GGUF files that are models by themselves: no parts, and no eyes of one."""
    return [
        file
        for file in listing.files
        if file.path.lower().endswith(".gguf")
        and not _PART_OF_GGUF.search(file.path)
        and "mmproj" not in file.path.lower()
    ]


def _huggingface(listing: HubListing) -> list[HubFile]:
    if not _has(listing, "config.json"):
        return []
    safetensors = [file for file in _root(listing) if file.path.endswith(".safetensors")]
    named = [file for file in safetensors if _WEIGHTS.fullmatch(file.path)]
    return named or [file for file in safetensors if not file.path.startswith("consolidated")]


def _mistral(listing: HubListing) -> list[HubFile]:
    if not _has(listing, "params.json"):
        return []
    return [file for file in _root(listing) if fnmatch(file.path, "consolidated*.safetensors")]


def _openvino(listing: HubListing) -> list[HubFile]:
    if not _has(listing, "openvino_model.xml"):
        return []
    return [
        file for file in _root(listing) if file.path.endswith((".xml", ".bin")) and "openvino" in file.path
    ]


def _companions(listing: HubListing, weights: Sequence[HubFile]) -> list[HubFile]:
    chosen = {file.path for file in weights}
    patterns = [(_root(listing), _COMPANIONS), (listing.files, _MODULES)]
    return [
        file
        for files, wanted in patterns
        for file in files
        if any(fnmatch(file.path, pattern) for pattern in wanted)
        and not _is_index_of_others(file.path, chosen)
    ]


def _is_index_of_others(path: str, weights: set[str]) -> bool:
    """Whether it tells where the tensors are in weights that are not fetched."""
    form, found, _ = path.partition(".safetensors.index")
    return bool(found) and not any(name.startswith(form) for name in weights)


def _of_gguf(listing: HubListing, model: HubFile) -> NeededFiles:
    terms = [file for file in _root(listing) if fnmatch(file.path, "LICENSE*")]
    return NeededFiles([model, *terms], entry=model.path)


def _named(listing: HubListing, path: str) -> HubFile:
    found = next((file for file in listing.files if file.path == path), None)
    if found is not None:
        return found
    paths = [file.path for file in gguf_files(listing)]
    near = get_close_matches(path, paths, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"it has {_listed(paths)}."
    raise ModelStoreError(f"it has no file {path!r}; {hint}")


def _quantized(listing: HubListing, quantization: str) -> HubFile:
    models = {quantization_of(file.path): file for file in reversed(gguf_files(listing))}
    if quantization in models:
        return models[quantization]
    if any(quantization_of(_PART_OF_GGUF.sub("", file.path)) == quantization for file in listing.files):
        raise ModelStoreError(
            f"its {quantization} comes in several parts, which cannot be loaded. Join them with llama.cpp's "
            f"llama-gguf-split --merge, or take another: {_listed(sorted(filter(None, models)))}."
        )
    raise ModelStoreError(f"it has no {quantization}; it has {_listed(sorted(filter(None, models)))}.")


def _default_gguf(listing: HubListing) -> HubFile:
    models = gguf_files(listing)
    for quantization in _PREFERRED:
        for model in models:
            if quantization_of(model.path) == quantization:
                return model
    if models:
        return min(models, key=lambda file: file.size)
    raise ModelStoreError(
        f"it holds no weights that can be loaded: no *.safetensors with config.json or params.json, no "
        f"OpenVINO model and no whole .gguf file. It has {_listed([file.path for file in listing.files])}."
    )


def _root(listing: HubListing) -> list[HubFile]:
    return [file for file in listing.files if "/" not in file.path]


def _has(listing: HubListing, path: str) -> bool:
    return any(file.path == path for file in listing.files)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12]) or "none"
    return f"{shown}, …" if len(names) > 12 else shown
