"""The tests that show what `docs/compatibility.md` says of each field; a test checks that they exist."""

from collections.abc import Mapping, Sequence
from typing import Final

FIELDS: Final = "tests/e2e/test_fields.py"
SDK: Final = "tests/contract/test_mistralai_sdk.py"
JSON: Final = "tests/e2e/test_structured_output.py"
MISTRAL: Final = "tests/e2e/test_mistral.py"
TOOLS: Final = "tests/e2e/test_tools.py"

Tests = Mapping[str, Sequence[str]]

COMPLETION: Final[Tests] = {
    "model": [
        f"{SDK}::TestModels::test_list_and_retrieve",
        "tests/api/test_chat.py::test_an_unknown_model_is_400",
    ],
    "temperature": [
        f"{FIELDS}::TestSampling::test_one_candidate_is_the_greedy_one",
        "tests/unit/serving/test_chat.py::test_the_models_default_temperature_is_used",
    ],
    "top_p": [f"{FIELDS}::TestSampling::test_greedy_sampling_leaves_nothing_for_top_p"],
    "max_tokens": [
        f"{FIELDS}::TestLength::test_max_tokens_is_length",
        f"{MISTRAL}::test_the_end_of_the_context_is_model_length",
        "tests/unit/serving/test_chat.py::test_max_tokens_zero_is_an_empty_answer",
    ],
    "min_tokens": [f"{FIELDS}::TestLength::test_min_tokens_hold_the_end_off"],
    "stream": [f"{FIELDS}::TestLogprobs::test_a_stream_has_the_same_beside_its_text"],
    "stop": [
        f"{FIELDS}::TestStop::test_a_stop_string_may_span_tokens",
        f"{FIELDS}::TestStop::test_stop_strings_of_such_characters",
        "tests/unit/serving/test_sampling.py::test_empty_stop_strings_are_none",
    ],
    "random_seed": [
        f"{FIELDS}::TestSampling::test_a_seed_is_an_answer",
        "tests/unit/serving/test_generation.py::TestSeveralAnswers::test_each_answer_has_its_own_seed",
    ],
    "metadata": ["tests/unit/schemas/test_requests.py::test_metadata_is_kept_as_it_is_up_to_its_size"],
}

_NO_ALTERNATIVES: Final = (f"{FIELDS}::TestLogprobs::test_what_the_engine_cannot_tell_is_the_hosted_refusal",)

CHAT: Final[Tests] = {
    **COMPLETION,
    "messages": [
        "tests/golden/test_mistral_prompts.py::test_a_prompt_is_the_reference_token_for_token",
        f"{MISTRAL}::test_a_prefix_goes_on_where_it_ends",
        "tests/unit/serving/test_media.py::test_a_model_of_text_refuses_images_before_it_looks_at_them",
    ],
    "presence_penalty": [f"{FIELDS}::TestSampling::test_what_was_said_is_said_less_with_a_penalty"],
    "frequency_penalty": [f"{FIELDS}::TestSampling::test_what_was_said_is_said_less_with_a_penalty"],
    "repetition_penalty": [
        f"{FIELDS}::TestSampling::test_what_was_said_is_said_less_with_a_penalty",
        "tests/unit/serving/test_chat.py::test_the_models_own_repetition_penalty_is_for_prose",
    ],
    "top_k": [f"{FIELDS}::TestSampling::test_one_candidate_is_the_greedy_one"],
    "n": [
        f"{FIELDS}::TestCounts::test_n_answers_share_their_prompt",
        "tests/unit/serving/test_generation.py::TestSeveralAnswers::test_the_others_start_when_the_first_has_its_first_delta",
    ],
    "safe_prompt": [f"{FIELDS}::TestSampling::test_the_safe_prompt_is_a_system_message"],
    "tools": [f"{TOOLS}::test_a_loop_of_several_turns_with_mistrals_client"],
    "tool_choice": [f"{TOOLS}::test_fifty_varied_schemas_give_valid_calls_only"],
    "parallel_tool_calls": [f"{TOOLS}::test_one_call_at_most_if_parallel_calls_are_off"],
    "response_format": [
        f"{JSON}::test_every_answer_that_is_not_cut_is_valid",
        f"{JSON}::test_json_mode_is_an_object",
    ],
    "logprobs": [
        f"{FIELDS}::TestLogprobs::test_every_token_of_an_answer_has_its_own",
        f"{FIELDS}::TestLogprobs::test_a_stream_has_the_same_beside_its_text",
    ],
    "top_logprobs": _NO_ALTERNATIVES,
    "prompt_logprobs": _NO_ALTERNATIVES,
    "top_prompt_logprobs": _NO_ALTERNATIVES,
    "prediction": [
        f"{FIELDS}::TestSampling::test_hints_change_nothing",
        "tests/unit/serving/test_chat.py::test_a_prediction_changes_nothing_and_is_for_one_answer",
    ],
    "reasoning_effort": [f"{MISTRAL}::test_a_model_that_thinks_says_what_it_thought"],
    "prompt_mode": ["tests/unit/serving/test_chat.py::test_a_model_that_does_not_think_says_so"],
    "guardrails": [f"{FIELDS}::TestSampling::test_guardrails_are_refused"],
    "prompt_cache_key": [
        f"{FIELDS}::TestSampling::test_hints_change_nothing",
        f"{FIELDS}::TestCounts::test_a_prompt_that_was_answered_is_counted_as_cached",
    ],
    "service_tier": [f"{FIELDS}::TestSampling::test_hints_change_nothing"],
}

FIM: Final[Tests] = {
    **COMPLETION,
    "stop": [f"{FIELDS}::TestGaps::test_one_line", f"{FIELDS}::TestGaps::test_several_lines"],
    "min_tokens": [f"{FIELDS}::TestGaps::test_min_tokens_hold_stop_strings_off"],
    "stream": [f"{MISTRAL}::test_a_gap_is_filled_as_the_model_was_trained_to"],
    "prompt": ["tests/golden/test_mistral_prompts.py::test_a_gap_is_the_reference_token_for_token"],
    "suffix": [
        f"{MISTRAL}::test_a_gap_is_filled_as_the_model_was_trained_to",
        "tests/unit/prompts/test_fim.py::test_a_vocabulary_with_tokens_for_it_is_used_as_its_model_was_trained",
        "tests/unit/serving/test_fim.py::test_the_answer_ends_where_the_suffix_resumes",
    ],
    "prompt_cache_key": [f"{FIELDS}::TestGaps::test_the_next_keystroke_ends_the_one_before"],
}

EMBEDDINGS: Final[Tests] = {
    "model": COMPLETION["model"],
    "metadata": COMPLETION["metadata"],
    "input": [f"{SDK}::TestEmbeddings::test_vectors_are_normalised_and_tell_meanings_apart"],
    "output_dimension": [f"{SDK}::TestEmbeddings::test_output_dimension_and_dtype"],
    "output_dtype": [f"{SDK}::TestEmbeddings::test_output_dimension_and_dtype"],
    "encoding_format": [
        "tests/contract/test_openai_sdk.py::test_embeddings_come_as_base64_by_default_and_as_floats_on_request"
    ],
}

ALL: Final = {"chat": CHAT, "fim": FIM, "embeddings": EMBEDDINGS}
