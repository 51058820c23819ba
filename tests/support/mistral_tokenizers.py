"""Mistral tokenizers of every version: the files that mistral-common ships, and tekken files made of them.

No file of v11 or later is in its wheel. Such a file differs from an earlier one in its version and its
control tokens, which stand where Mistral's own files have them. Its text tokens are the first of the shipped
one's, and the one that mistral-common's fill-in-the-middle relies on.
"""

import json
from functools import cache
from pathlib import Path

import mistral_common

from tramontane.prompts.renderer import ChatInput
from tramontane.schemas.chat import ChatCompletionRequest

DATA = Path(mistral_common.__file__).parent / "data"

SHIPPED = {
    "v1": "tokenizer.model.v1",
    "v2": "mistral_instruct_tokenizer_240216.model.v2",
    "v3": "mistral_instruct_tokenizer_240323.model.v3",
    "v3-tekken": "tekken_240718.json",
    "v3-tekken-images": "tekken_240911.json",
    "v7": "mistral_instruct_tokenizer_241114.model.v7",
    "v7-images": "mistral_instruct_tokenizer_241114.model.v7m1",
}
WITH_IMAGES = (
    "v3-tekken-images",
    "v7-images",
    "v7-tekken-images",
    "v11-tekken-images",
    "v13-tekken-images",
    "v15-tekken-images",
)
"""Two are shipped; the others have the layout of images of Mistral Small 3.1 and later."""
WITH_AUDIO = ("v7-tekken-audio", "v11-tekken-audio", "v13-tekken-audio", "v15-tekken-audio")
"""With Voxtral's layout of sound."""
MADE = ("v7-tekken", "v11-tekken", "v13-tekken", "v13-tekken-thoughts", "v15-tekken", "v15-tekken-schemas")
ALL = (*SHIPPED, *MADE)
SINCE = {name: int(name.split("-")[0][1:]) for name in ALL}
"""The version of each tokenizer."""

TEXT_TOKENS = 8192
SMILEY_START = 37810
"""Rank of the first of the two tokens of "☺", which the library puts before a suffix and takes away again."""
SPECIAL_TOKENS = 1000
CONTROL = {
    0: "<unk>",
    1: "<s>",
    2: "</s>",
    3: "[INST]",
    4: "[/INST]",
    5: "[AVAILABLE_TOOLS]",
    6: "[/AVAILABLE_TOOLS]",
    7: "[TOOL_RESULTS]",
    8: "[/TOOL_RESULTS]",
    9: "[TOOL_CALLS]",
    10: "[IMG]",
    11: "<pad>",
    12: "[IMG_BREAK]",
    13: "[IMG_END]",
    14: "[PREFIX]",
    15: "[MIDDLE]",
    16: "[SUFFIX]",
    17: "[SYSTEM_PROMPT]",
    18: "[/SYSTEM_PROMPT]",
    19: "[TOOL_CONTENT]",
    32: "[ARGS]",
    33: "[CALL_ID]",
}
THOUGHTS = {34: "[THINK]", 35: "[/THINK]"}
SETTINGS = {36: "[MODEL_SETTINGS]", 37: "[/MODEL_SETTINGS]"}
AUDIO = {24: "[AUDIO]", 25: "[BEGIN_AUDIO]", 26: "[TRANSCRIBE]"}
IMAGE_LAYOUT = {"image_patch_size": 14, "max_image_size": 1540, "spatial_merge_size": 2}
AUDIO_LAYOUT = {
    "sampling_rate": 16_000,
    "frame_rate": 12.5,
    "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
    "chunk_length_s": 30.0,
}
MODEL_SETTINGS = {
    "reasoning_effort": {"type": "enum", "accepts_none": True, "values": ["none", "high"], "default": "none"}
}


SCHEMA_SETTING = {"json_schema": {"type": "json_schema", "accepts_none": False, "default": None}}


def tokenizer_path(name: str, folder: Path) -> Path:
    """The file of the tokenizer `name`, one of `SHIPPED` and `MADE`; one that is made lies in `folder`."""
    if name in SHIPPED:
        return DATA / SHIPPED[name]
    version, *_ = name.split("-")
    control = CONTROL
    if name.endswith("thoughts") or version == "v15":
        control = control | THOUGHTS
    if version == "v15":
        control = control | SETTINGS
    media = {}
    if name.endswith("images"):
        media = {"image": IMAGE_LAYOUT}
    if name.endswith("audio"):
        control, media = control | AUDIO, {"audio": AUDIO_LAYOUT}
    settings = MODEL_SETTINGS | (SCHEMA_SETTING if name.endswith("schemas") else {})
    return write_tekken(folder / name / "tekken.json", version, control, media=media, settings=settings)


def write_tekken(
    path: Path,
    version: str,
    control: dict[int, str] = CONTROL,
    text_tokens: int = TEXT_TOKENS,
    media=None,
    settings: dict = MODEL_SETTINGS,
) -> Path:
    """A tekken file with the first `text_tokens` of the shipped one's, and `control` tokens."""
    shipped = _shipped_tekken()
    tokens = [
        {"rank": rank, "token_str": control.get(rank, f"<SPECIAL_{rank}>"), "is_control": True}
        for rank in range(max(control) + 1)
    ]
    smiley = shipped["vocab"][SMILEY_START]
    sizes = {"default_vocab_size": SPECIAL_TOKENS + text_tokens, "num_vocab_tokens": text_tokens}
    file = {
        "config": shipped["config"] | sizes | {"version": version},
        "vocab": [*shipped["vocab"][: text_tokens - 1], smiley | {"rank": text_tokens - 1}],
        "special_tokens": tokens,
    }
    file |= media or {}
    if version == "v15":
        file["model_settings_builder"] = settings
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(file))
    return path


def chat_input(messages, tools=(), files=None, **others):
    """What the renderers take, of JSON as clients send it."""
    request = ChatCompletionRequest.model_validate(
        {"model": "m", "messages": messages, "tools": [*tools]} | others
    )
    return ChatInput(
        request.messages,
        request.tools,
        response_format=request.response_format,
        reasoning_effort=request.reasoning_effort,
        prompt_mode=request.prompt_mode,
        files=files or {},
    )


@cache
def _shipped_tekken():
    return json.loads((DATA / SHIPPED["v3-tekken"]).read_text())
