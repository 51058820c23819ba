"""The models that settings name: lists of them, and a table for each."""

from pathlib import Path

import pytest

from tramontane.errors import ConfigurationError
from tramontane.settings import NEVER, ModelSettings, load_settings, named_models, parse_duration, read_key


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "tramontane.toml"
        path.write_text(text)
        return path

    return write


def test_without_a_word_the_built_in_models_are_served():
    assert [(one.model, one.task) for one in named_models(load_settings())] == [
        (None, "generate"),
        (None, "embed"),
    ]


def test_models_are_a_list_wherever_they_are_named(config, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    expected = (str(tmp_path / "a.gguf"), "org/b")

    assert load_settings(config('model = ["./a.gguf", "org/b"]')).model == expected
    assert load_settings(model=("./a.gguf", "org/b")).model == expected
    monkeypatch.setenv("TRAMONTANE_MODEL", "./a.gguf, org/b")
    assert load_settings().model == expected


def test_naming_models_for_one_task_leaves_the_other_its_built_in_one():
    named = named_models(load_settings(model=("a", "b")))

    assert [(one.model, one.task) for one in named] == [
        ("a", "generate"),
        ("b", "generate"),
        (None, "embed"),
    ]


def test_a_table_adds_a_model_and_no_built_in_one(config):
    settings = load_settings(config('[[models]]\nmodel = "org/a"'), embedding_model=("e",))

    assert [(one.model, one.task) for one in named_models(settings)] == [("e", "embed"), ("org/a", None)]


def test_a_table_takes_from_the_settings_of_all_what_it_does_not_say(config):
    path = config(
        'slots = 2\nkeep_alive = "10m"\nload = "use"\n'
        '[[models]]\nmodel = "a"\nslots = 16\n[[models]]\nmodel = "b"\nkeep_alive = 0'
    )

    a, b = named_models(load_settings(path, threads=3))

    assert (a.slots, a.keep_alive, a.load, a.threads) == (16, 600, "use", 3)
    assert (b.slots, b.keep_alive, b.load, b.threads) == (2, 0, "use", 3)


def test_paths_in_a_table_are_relative_to_the_file(config, tmp_path):
    path = config('[[models]]\nmodel = "./w/a.gguf"\nadapters = ["tune"]\naliases = ["x", "y"]')

    (model,) = named_models(load_settings(path))

    assert model.model == str(tmp_path / "w/a.gguf")
    assert model.adapters == (tmp_path / "tune",)
    assert model.aliases == ("x", "y")


def test_adapters_of_all_belong_to_the_first_chat_model_alone():
    named = named_models(load_settings(model=("a", "b"), adapters=("/one", "/two")))

    assert [one.adapters for one in named] == [(Path("/one"), Path("/two")), (), ()]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('modle = "a"', r"There is no setting 'modle' in models in .*; did you mean model\?"),
        ('model = "a"\nslots = 0', r"slots of table 2 of models in .*tramontane\.toml: Input should be .* 1"),
        ('model = "a"\nkeep_alive = "soon"', r'keep_alive of table 2 of models in .* "10m"'),
        ('model = "a"\nid = "no spaces"', r"id of table 2 of models"),
        ("slots = 3", r"^table 2 of models in .*must name a model, or at least a task"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_with_its_place(config, table, message):
    with pytest.raises(ConfigurationError, match=message):
        load_settings(config(f'[[models]]\nmodel = "fine"\n[[models]]\n{table}'))


def test_something_else_than_tables_is_an_error(config):
    with pytest.raises(ConfigurationError, match=r"table 1 of models in .*tramontane\.toml"):
        load_settings(config('models = ["org/a"]'))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(0, 0), ("0", 0), (1.5, 1.5), ("90", 90), ("90s", 90), ("10m", 600), ("1.5 h", 5400), ("never", NEVER)],
)
def test_times_are_written_with_their_unit(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["", "-1", -1, "10 weeks", "m", True, None])
def test_other_times_are_refused(written):
    with pytest.raises(ValueError, match="must be a number of seconds"):
        parse_duration(written)


def test_sizes_of_memory_are_written_with_their_unit(monkeypatch):
    monkeypatch.setenv("TRAMONTANE_MEMORY_LIMIT", "1.5GiB")

    assert load_settings().memory_limit == 1.5 * 2**30
    assert load_settings(memory_limit="6 GB").memory_limit == 6 * 10**9


def test_a_model_outlives_its_writing_as_json():
    model = ModelSettings(model="org/a", keep_alive="never", adapters=("/x",))

    written = model.model_dump_json(exclude_unset=True)

    assert ModelSettings.model_validate_json(written) == model


UPSTREAM = '[[models]]\nid = "large"\n[models.upstream]\nurls = ["http://gpu1:8000/v1/", "https://b/v1"]\n'


def test_a_table_of_servers_says_by_itself_which_engine_is_meant(config):
    (model,) = named_models(load_settings(config(UPSTREAM)))

    assert model.engine == "upstream"
    assert model.upstream.urls == ("http://gpu1:8000/v1", "https://b/v1")
    assert model.slots == 256
    (model,) = named_models(load_settings(config("slots = 7\n" + UPSTREAM)))
    assert model.slots == 7


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (UPSTREAM.replace('id = "large"\n', ""), "must have an id"),
        (UPSTREAM.replace("http://gpu1", "gpu1"), "must be URLs"),
        (UPSTREAM.replace("gpu1:", "user:secret@gpu1:"), "without a user"),
        (UPSTREAM.replace("https://b/v1", "http://gpu1:8000/v1"), "all be different"),
        (UPSTREAM + 'api_key = "a"\napi_key_env = "B"', "one of api_key"),
        (UPSTREAM + "first_token_timeout = 0", "longer than nothing"),
        (UPSTREAM + "first_token_timeout = 'never'", "at most a day"),
        (UPSTREAM + "colour = 3", "'colour'"),
        (UPSTREAM.replace('id = "large"', 'id = "large"\nengine = "fake"'), "or neither"),
        ('[[models]]\nid = "a"\nmodel = "b"\nengine = "upstream"', "or neither"),
    ],
)
def test_a_table_of_servers_that_cannot_be_meant_is_refused(config, table, problem):
    with pytest.raises(ConfigurationError, match=problem) as raised:
        load_settings(config(table))
    assert "secret" not in str(raised.value)


def test_the_key_of_servers_is_where_the_settings_say(config, monkeypatch, tmp_path):
    def key(line):
        (model,) = named_models(load_settings(config(UPSTREAM + line)))
        return read_key(model.upstream)

    (tmp_path / "key").write_text(" from-a-file\n")
    monkeypatch.setenv("KEY_THERE", "from-a-variable")

    assert key("") is None
    assert key('api_key = "itself"') == "itself"
    assert key('api_key_env = "KEY_THERE"') == "from-a-variable"
    assert key('api_key_file = "./key"') == "from-a-file"
    for line in ('api_key_env = "NOT_THERE"', 'api_key_file = "./none"'):
        with pytest.raises(ConfigurationError, match=line.split()[0]):
            key(line)


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"engine": "vllm", "quantization": "int8"}, "quantization"),
        ({"vllm": {"max_model_len": 1024}, "threads": 2}, "threads"),
        ({"engine": "vllm", "kv_cache_tokens": 4096}, "kv_cache_tokens"),
        ({"engine": "openvino", "vllm": {"max_model_len": 1024}}, "models.vllm"),
    ],
)
def test_what_an_engine_would_not_look_at_is_refused(table, named):
    with pytest.raises(ValueError, match=named):
        ModelSettings(model="organisation/name", **table)


def test_a_table_of_vllm_says_which_engine_is_meant():
    model = ModelSettings(model="organisation/name", vllm={"max_model_len": 1024}, slots=8)
    assert (model.engine, model.slots) == ("vllm", 8)
