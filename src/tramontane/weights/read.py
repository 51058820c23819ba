"""Which reader a model's files are for."""

from pathlib import Path

from tramontane.weights.gguf_model import read_gguf_model
from tramontane.weights.huggingface import read_huggingface_model
from tramontane.weights.mistral_model import PARAMS, STEM, read_mistral_model
from tramontane.weights.model import SourceModel


def read_model(source: Path) -> SourceModel:
    """The model in a GGUF file, or in a folder in Hugging Face's format or in Mistral's.

    Where a folder holds both, as Mistral's repositories do, Hugging Face's counts.

    Raises:
        ModelStoreError: it is damaged or incomplete, or needs what is not supported.
    """
    if not source.is_dir():
        return read_gguf_model(source)
    has_consolidated = any(source.glob(f"{STEM}*.safetensors"))
    has_shards = any(source.glob("model*.safetensors"))
    if (source / PARAMS).is_file() and has_consolidated and not has_shards:
        return read_mistral_model(source)
    return read_huggingface_model(source)
