"""A Hugging Face folder as a `SourceModel`: config.json, safetensors and a tokenizer."""

from pathlib import Path

import msgspec

from tramontane.errors import ModelStoreError
from tramontane.weights import huggingface_decoder, huggingface_encoder
from tramontane.weights.huggingface_sentence import (
    is_sentence_model,
    longest_input,
    read_sentence_config,
)
from tramontane.weights.huggingface_text import read_embedding_tokenizer, read_text_side, read_tokenizer
from tramontane.weights.json_file import read_json
from tramontane.weights.model import DecoderConfig, EmbedderConfig, SourceModel
from tramontane.weights.renamed import RenamedTensors
from tramontane.weights.safetensors import SafetensorsFolder
from tramontane.weights.tensors import TensorSource


class _QuantizationConfig(msgspec.Struct, kw_only=True):
    quant_method: str | None = None
    format: str | None = None
    weight_block_size: tuple[int, int] | None = None

    @property
    def is_supported(self) -> bool:
        """Floats of 8 bits with scales beside them."""
        of_compressed_tensors = self.quant_method == "compressed-tensors" and self.format == "float-quantized"
        return self.quant_method == "fp8" or of_compressed_tensors


class _ConfigFile(msgspec.Struct, kw_only=True):
    model_type: str
    architectures: list[str] | None = None
    quantization_config: _QuantizationConfig | None = None

    @property
    def is_headless(self) -> bool:
        """It was saved without an output projection, to make vectors and not text."""
        names = self.architectures or []
        return bool(names) and all(name.endswith("Model") for name in names)


def read_huggingface_model(folder: Path) -> SourceModel:
    """The model in `folder`.

    Raises:
        ModelStoreError: it is damaged or incomplete, or needs what is not supported.
    """
    file = read_json(folder / "config.json", _ConfigFile)
    quantized = file.quantization_config
    if quantized is not None and not quantized.is_supported:
        kind = " ".join(filter(None, (quantized.quant_method, quantized.format))) or "in an unknown way"
        raise ModelStoreError(
            f"Its weights are quantised ({kind}); supported in safetensors are F32, F16, BF16 and FP8"
        )
    decoders = huggingface_decoder.ARCHITECTURES + huggingface_decoder.WITH_EYES
    if file.model_type in huggingface_encoder.ARCHITECTURES:
        return _encoder(folder)
    if file.model_type not in decoders:
        supported = ", ".join(decoders + huggingface_encoder.ARCHITECTURES)
        raise ModelStoreError(f'Its model_type is "{file.model_type}"; supported are {supported}')
    stored = SafetensorsFolder(folder, scale_block=quantized.weight_block_size if quantized else None)
    tensors = RenamedTensors(stored, huggingface_decoder.decoder_tensor_name)
    config = huggingface_decoder.read_decoder_config(
        folder / "config.json", has_output="lm_head.weight" in tensors.names
    )
    if is_sentence_model(folder) or file.is_headless:
        return _embedder(folder, config, stored, tensors)
    return _decoder(folder, config, stored, tensors)


def _decoder(
    folder: Path, config: DecoderConfig, stored: SafetensorsFolder, tensors: TensorSource
) -> SourceModel:
    text = read_text_side(folder)
    return SourceModel(
        config=config,
        tensors=tensors,
        elements=stored.elements,
        encoding=stored.encoding,
        tokenizer=text.tokenizer,
        chat_template=text.chat_template,
        bos_token_id=text.bos_token_id,
        stop_token_ids=text.stop_token_ids,
    )


def _embedder(
    folder: Path, config: DecoderConfig, stored: SafetensorsFolder, tensors: TensorSource
) -> SourceModel:
    return SourceModel(
        config=EmbedderConfig(
            decoder=config,
            max_context_length=longest_input(folder, config.max_context_length),
            sentence=read_sentence_config(folder, "last"),
        ),
        tensors=tensors,
        elements=stored.elements,
        encoding=stored.encoding,
        tokenizer=read_embedding_tokenizer(folder),
    )


def _encoder(folder: Path) -> SourceModel:
    stored = SafetensorsFolder(folder)
    return SourceModel(
        config=huggingface_encoder.read_encoder_config(folder),
        tensors=RenamedTensors(stored, huggingface_encoder.encoder_tensor_name),
        elements=stored.elements,
        encoding=stored.encoding,
        tokenizer=read_tokenizer(folder),
    )
