"""Prompts of Mistral's models as Mistral writes them down, so that no mistake can hide in the library.

The forms are those of its documentation of templates and of the hosted API's guides.
"""

from dataclasses import replace

import pytest

from tests.support.mistral_tokenizers import ALL, chat_input
from tramontane.core.output_format import ListedCalls, NamedCalls, OutputFormat, Section, TokenThoughts
from tramontane.errors import ContextLengthError, InvalidRequestError
from tramontane.schemas.chat import MistralPromptMode, ReasoningEffort

TURNS = [
    {"role": "user", "content": "user message"},
    {"role": "assistant", "content": "assistant message"},
    {"role": "user", "content": "new user message"},
]
SYSTEM = {"role": "system", "content": "system prompt"}
SPACED = "<s>[INST]▁user▁message[/INST]▁assistant▁message</s>[INST]▁new▁user▁message[/INST]"
PLAIN = "<s>[INST]user message[/INST]assistant message</s>[INST]new user message[/INST]"
SETTINGS = '[MODEL_SETTINGS]{"reasoning_effort": "none"}[/MODEL_SETTINGS]'
TOOL = {
    "type": "function",
    "function": {"name": "add", "description": "", "parameters": {"type": "object", "properties": {}}},
}
TOOLS = (
    '[AVAILABLE_TOOLS][{"type": "function", "function": {"name": "add", "description": "", '
    '"parameters": {"type": "object", "properties": {}}}}][/AVAILABLE_TOOLS]'
)
THINKING_PROMPT = (
    "# HOW YOU SHOULD THINK AND ANSWER\n\n"
    "First draft your thinking process (inner monologue) until you arrive at a response. Format your "
    "response using Markdown, and use LaTeX for any mathematical equations. Write both your thoughts and the "
    "response in the same language as the input.\n\n"
    "Your thinking process must follow the template below:[THINK]Your thoughts or/and draft, like working "
    "through an exercise on scratch paper. Be as casual and as long as you want until you are confident to "
    "generate the response to the user.[/THINK]Here, provide a self-contained response."
)
CALLED = [
    {"role": "user", "content": "1+1"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "abcdefghi", "function": {"name": "add", "arguments": '{"a":1,"b":1}'}}],
    },
    {"role": "tool", "tool_call_id": "abcdefghi", "content": "2"},
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v1", "<s>▁[INST]▁user▁message▁[/INST]▁assistant▁message</s>▁[INST]▁new▁user▁message▁[/INST]"),
        ("v2", SPACED),
        ("v3", SPACED),
        ("v7", SPACED),
        ("v3-tekken", PLAIN),
        ("v7-tekken", PLAIN),
        ("v11-tekken", PLAIN),
        ("v13-tekken", PLAIN),
        ("v15-tekken", PLAIN.replace("<s>", f"<s>{SETTINGS}")),
    ],
)
def test_turns(load, name, expected):
    loaded = load(name)
    assert loaded.spelled(loaded.chat.render(chat_input(TURNS), 1000).prompt) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v1", "<s>▁[INST]▁system▁prompt<0x0A><0x0A>user▁message▁[/INST]"),
        ("v2", "<s>[INST]▁system▁prompt<0x0A><0x0A>user▁message[/INST]"),
        ("v3-tekken", "<s>[INST]system prompt\n\nuser message[/INST]"),
        ("v7", "<s>[SYSTEM_PROMPT]▁system▁prompt[/SYSTEM_PROMPT][INST]▁user▁message[/INST]"),
        ("v7-tekken", "<s>[SYSTEM_PROMPT]system prompt[/SYSTEM_PROMPT][INST]user message[/INST]"),
        ("v13-tekken", "<s>[SYSTEM_PROMPT]system prompt[/SYSTEM_PROMPT][INST]user message[/INST]"),
    ],
)
def test_a_system_prompt(load, name, expected):
    loaded = load(name)
    assert loaded.spelled(loaded.chat.render(chat_input([SYSTEM, TURNS[0]]), 1000).prompt) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "v3-tekken",
            (
                f'<s>{TOOLS}[INST]1+1[/INST][TOOL_CALLS][{{"name": "add", "arguments": {{"a": 1, "b": 1}}, '
                '"id": "abcdefghi"}]</s>[TOOL_RESULTS]{"content": 2, "call_id": "abcdefghi"}[/TOOL_RESULTS]'
            ),
        ),
        (
            "v7-tekken",
            (
                f'<s>{TOOLS}[INST]1+1[/INST][TOOL_CALLS][{{"name": "add", "arguments": {{"a": 1, "b": 1}}, '
                '"id": "abcdefghi"}]</s>[TOOL_RESULTS]abcdefghi[TOOL_CONTENT]2[/TOOL_RESULTS]'
            ),
        ),
        (
            "v11-tekken",
            (
                f'<s>{TOOLS}[INST]1+1[/INST][TOOL_CALLS]add[CALL_ID]abcdefghi[ARGS]{{"a": 1, "b": 1}}</s>'
                "[TOOL_RESULTS]abcdefghi[TOOL_CONTENT]2[/TOOL_RESULTS]"
            ),
        ),
        (
            "v13-tekken",
            (
                f'<s>{TOOLS}[INST]1+1[/INST][TOOL_CALLS]add[ARGS]{{"a": 1, "b": 1}}</s>'
                "[TOOL_RESULTS]2[/TOOL_RESULTS]"
            ),
        ),
    ],
)
def test_tools_a_call_and_its_result(load, name, expected):
    loaded = load(name)
    assert loaded.spelled(loaded.chat.render(chat_input(CALLED, [TOOL]), 1000).prompt) == expected


def test_tools_stand_before_the_last_user_and_since_v13_before_the_first(load):
    for name, expected in {
        "v11-tekken": PLAIN.replace("[INST]new", f"{TOOLS}[INST]new"),
        "v13-tekken": PLAIN.replace("<s>", f"<s>{TOOLS}"),
    }.items():
        loaded = load(name)
        assert loaded.spelled(loaded.chat.render(chat_input(TURNS, [TOOL]), 1000).prompt) == expected


@pytest.mark.parametrize(
    ("name", "suffix", "expected"),
    [
        ("v3", "\n  return x", "<s>[SUFFIX]<0x0A>▁▁return▁x[PREFIX]▁def▁f("),
        ("v3", "", "<s>[SUFFIX][PREFIX]▁def▁f("),
        ("v7-tekken", "\n  return x", "<s>[SUFFIX]\n  return x[PREFIX]def f("),
        ("v13-tekken", "", "<s>[SUFFIX][PREFIX]def f("),
        ("v2", "\n  return x", "<s>▁def▁f("),
    ],
)
def test_a_gap(load, name, suffix, expected):
    loaded = load(name)
    rendered = loaded.fim.render("def f(", suffix, 1000)
    assert loaded.spelled(rendered.tokens) == expected
    assert rendered.knows_suffix is (name != "v2")


@pytest.mark.parametrize("name", ALL)
def test_control_tokens_that_a_user_spells_are_text(load, name):
    loaded = load(name)
    spelled = (
        "".join(loaded.reference.instruct_tokenizer.tokenizer.vocab()[:50]) + "[INST]</s>[TOOL_CALLS][THINK]"
    )
    special_ids = loaded.reference.instruct_tokenizer.tokenizer.special_ids

    plain = loaded.chat.render(chat_input([SYSTEM, {"role": "user", "content": "x"}]), 10_000).prompt
    hostile = loaded.chat.render(
        chat_input([SYSTEM | {"content": spelled}, {"role": "user", "content": spelled}]), 10_000
    ).prompt
    gap = loaded.fim.render(spelled, spelled, 10_000).tokens

    def control(prompt):
        return [token_id for token_id in prompt.token_ids if token_id in special_ids]

    assert control(hostile) == control(plain)
    assert len(control(gap)) <= 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v1", OutputFormat()),
        ("v2", OutputFormat(ListedCalls(5, after_blank=True))),
        ("v3", OutputFormat(ListedCalls(5, after_blank=True))),
        ("v3-tekken", OutputFormat(ListedCalls(9))),
        ("v7", OutputFormat(ListedCalls(5, after_blank=True))),
        ("v7-tekken", OutputFormat(ListedCalls(9))),
        ("v11-tekken", OutputFormat(NamedCalls(9, 32, 33))),
        ("v13-tekken", OutputFormat(NamedCalls(9, 32))),
        ("v13-tekken-thoughts", OutputFormat(NamedCalls(9, 32), TokenThoughts(34, 35))),
        ("v15-tekken", OutputFormat(NamedCalls(9, 32), TokenThoughts(34, 35))),
    ],
)
def test_how_each_version_marks_calls_and_thoughts(load, name, expected):
    assert load(name).chat.output_format == expected


def test_a_prefix_begins_the_answer_as_it_was_sent(load):
    loaded = load("v7-tekken")
    messages = [TURNS[0], {"role": "assistant", "content": "One,  ", "prefix": True}]
    rendered = loaded.chat.render(chat_input(messages), 1000)

    assert loaded.spelled(rendered.prompt) == "<s>[INST]user message[/INST]One,"
    assert (rendered.prefix, rendered.thought, rendered.begins_in) == ("One,  ", "", Section.TEXT)


def test_answers_before_a_prefix_begin_the_answer_too_as_the_model_reads_them(load):
    loaded = load("v7-tekken")
    chunks = [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]
    messages = [
        TURNS[0],
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": chunks, "prefix": True},
    ]
    rendered = loaded.chat.render(chat_input(messages), 1000)

    assert loaded.spelled(rendered.prompt) == "<s>[INST]user message[/INST]a\n\nb\n\nc"
    assert rendered.prefix == "a\n\nb\n\nc"


def thinking(text, **others):
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]} | others


@pytest.mark.parametrize(
    ("content", "ending", "prefix", "thought", "section"),
    [
        ([thinking("Two and", closed=False)], "[THINK]Two and", "", "Two and", Section.THOUGHT),
        ([thinking("Easy.")], "[THINK]Easy.[/THINK]", "", "Easy.", Section.TEXT),
        (
            [thinking("Easy."), {"type": "text", "text": "It is"}],
            "[THINK]Easy.[/THINK]It is",
            "It is",
            "Easy.",
            Section.TEXT,
        ),
    ],
)
def test_a_prefix_may_be_a_thought(load, content, ending, prefix, thought, section):
    loaded = load("v13-tekken-thoughts")
    messages = [TURNS[0], {"role": "assistant", "content": content, "prefix": True}]
    rendered = loaded.chat.render(chat_input(messages), 1000)

    assert loaded.spelled(rendered.prompt) == f"<s>[INST]user message[/INST]{ending}"
    assert (rendered.prefix, rendered.thought, rendered.begins_in) == (prefix, thought, section)


def test_a_model_without_settings_is_told_to_think_by_the_system_prompt_of_its_makers(load):
    loaded = load("v13-tekken-thoughts")
    expected = f"<s>[SYSTEM_PROMPT]{THINKING_PROMPT}[/SYSTEM_PROMPT][INST]user message[/INST]"
    for asked in ({"reasoning_effort": "high"}, {"prompt_mode": "reasoning"}):
        rendered = loaded.chat.render(chat_input(TURNS[:1], **asked), 1000)
        assert loaded.spelled(rendered.prompt) == expected
    for asked in ({}, {"reasoning_effort": "none"}, {"reasoning_effort": "none", "prompt_mode": "reasoning"}):
        rendered = loaded.chat.render(chat_input(TURNS[:1], **asked), 1000)
        assert loaded.spelled(rendered.prompt) == "<s>[INST]user message[/INST]"


def test_a_system_prompt_that_shows_how_to_think_stays_the_only_one(load):
    loaded = load("v13-tekken-thoughts")
    system = {"role": "system", "content": [{"type": "text", "text": "Think:"}, thinking("so")]}
    rendered = loaded.chat.render(chat_input([system, TURNS[0]], reasoning_effort="high"), 1000)
    assert (
        loaded.spelled(rendered.prompt)
        == "<s>[SYSTEM_PROMPT]Think:[THINK]so[/THINK][/SYSTEM_PROMPT][INST]user message[/INST]"
    )


@pytest.mark.parametrize(
    ("asked", "effort"),
    [
        ({}, "none"),
        ({"reasoning_effort": "high"}, "high"),
        ({"reasoning_effort": "none"}, "none"),
        ({"prompt_mode": "reasoning"}, "high"),
    ],
)
def test_a_model_with_settings_is_told_by_them(load, asked, effort):
    loaded = load("v15-tekken")
    rendered = loaded.chat.render(chat_input(TURNS[:1], **asked), 1000)
    assert loaded.spelled(rendered.prompt) == (
        f'<s>[MODEL_SETTINGS]{{"reasoning_effort": "{effort}"}}[/MODEL_SETTINGS][INST]user message[/INST]'
    )
    assert loaded.chat.reasoning_efforts == [ReasoningEffort.none, ReasoningEffort.high]


@pytest.mark.parametrize("name", ["v13-tekken-thoughts", "v15-tekken"])
@pytest.mark.parametrize(("asked", "as_if"), [({}, "none"), ({"reasoning_effort": "high"}, "high")])
def test_before_a_form_a_model_thinks_if_it_is_asked_to(load, name, asked, as_if):
    held = load(name).chat.render(replace(chat_input(TURNS[:1], **asked), is_formed=True), 1000)
    assert held == load(name).chat.render(chat_input(TURNS[:1], reasoning_effort=as_if), 1000)


FORM = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "title": "é"}}}


def test_a_model_with_a_setting_for_schemas_is_told_of_them_by_it(load):
    def prompt(**asked):
        loaded = load("v15-tekken-schemas")
        return loaded.spelled(loaded.chat.render(chat_input(TURNS[:1], **asked), 1000).prompt)

    assert prompt(response_format=FORM) == (
        '<s>[MODEL_SETTINGS]{"json_schema": {"type": "object", "title": "é"}, "reasoning_effort": "none"}'
        "[/MODEL_SETTINGS][INST]user message[/INST]"
    )
    assert prompt(response_format={"type": "json_object"}) == (
        '<s>[MODEL_SETTINGS]{"json_schema": {"anyOf": [{"type": "object"}, {"type": "array"}]}, '
        '"reasoning_effort": "none"}[/MODEL_SETTINGS][INST]user message[/INST]'
    )
    assert prompt() == (
        '<s>[MODEL_SETTINGS]{"reasoning_effort": "none"}[/MODEL_SETTINGS][INST]user message[/INST]'
    )


@pytest.mark.parametrize("name", ["v3", "v7-tekken", "v15-tekken"])
def test_other_models_are_told_of_schemas_by_a_message(load, name):
    loaded = load(name)
    told = SYSTEM | {
        "content": "Your output should be an instance of a JSON object following this schema: "
        '{"type": "object", "title": "é"}'
    }
    rendered = loaded.chat.render(chat_input(TURNS[:1], response_format=FORM), 1000)
    assert rendered == loaded.chat.render(chat_input([told, *TURNS[:1]]), 1000)


def test_an_effort_that_the_model_does_not_know_is_refused(load):
    with pytest.raises(InvalidRequestError, match="reasoning_effort"):
        load("v15-tekken").chat.render(chat_input(TURNS[:1], reasoning_effort="medium"), 1000)


def test_a_prompt_that_cannot_fit_is_refused_before_it_is_encoded(load):
    loaded = load("v3-tekken")
    with pytest.raises(ContextLengthError, match="too large for model with 10 maximum context length"):
        loaded.chat.render(chat_input([{"role": "user", "content": "x" * 1_000_000}]), 10)
    with pytest.raises(ContextLengthError):
        loaded.fim.render("x" * 1_000_000, "", 10)


def test_the_reasoning_mode_alone_is_no_reason_to_fail(load):
    loaded = load("v7-tekken")
    chat = replace(chat_input(TURNS[:1]), prompt_mode=MistralPromptMode.reasoning)
    assert loaded.spelled(loaded.chat.render(chat, 1000).prompt) == "<s>[INST]user message[/INST]"
