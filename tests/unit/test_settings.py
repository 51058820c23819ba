from pathlib import Path

import pytest

from tramontane.errors import ConfigurationError
from tramontane.settings import Settings, default_config_file, env_name, load_settings


@pytest.fixture
def config(tmp_path):
    """Writes a settings file and returns its path."""

    def write(text):
        path = tmp_path / "etc" / "tramontane.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_defaults_need_neither_file_nor_environment():
    settings = load_settings()

    assert settings == Settings()
    assert (settings.host, settings.port, settings.plan) == ("127.0.0.1", 8000, None)


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(config, monkeypatch):
    path = config("port = 1001\nslots = 1\nmax_queue = 1")
    monkeypatch.setenv("TRAMONTANE_PORT", "1002")
    monkeypatch.setenv("TRAMONTANE_SLOTS", "2")

    settings = load_settings(path, port=1003, slots=None)

    assert (settings.port, settings.slots, settings.max_queue) == (1003, 2, 1)


def test_the_variable_names_the_file_unless_the_option_does(config, tmp_path, monkeypatch):
    monkeypatch.setenv("TRAMONTANE_CONFIG", str(config("port = 1001")))
    other = tmp_path / "other.toml"
    other.write_text("port = 1002")

    assert load_settings().port == 1001
    assert load_settings(other).port == 1002


def test_the_default_file_is_read_if_it_is_there():
    default_config_file().parent.mkdir(parents=True)
    default_config_file().write_text("port = 1001")

    assert load_settings().port == 1001


@pytest.mark.parametrize(("text", "value"), [("true", True), ("0", False), ("yes", True), ("", False)])
def test_switches_in_the_environment_read_as_people_write_them(text, value, monkeypatch):
    monkeypatch.setenv("TRAMONTANE_STRICT", text)

    assert load_settings().strict is value


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.setenv(env_name(name), "")

    assert load_settings() == Settings()


def test_relative_paths_in_a_file_are_relative_to_the_file(config):
    path = config('data_dir = "state"\nmodel = "../weights/tiny.gguf"\nembedding_model = "all-minilm-l6-v2"')

    settings = load_settings(path)

    assert settings.data_dir == path.parent / "state"
    assert [Path(model) for model in settings.model] == [path.parent / "../weights/tiny.gguf"]
    assert settings.embedding_model == ("all-minilm-l6-v2",)


def test_other_relative_paths_are_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAMONTANE_CACHE_DIR", "cache")

    settings = load_settings(data_dir=Path("data"), model="tiny.gguf")

    assert settings.data_dir == tmp_path / "data"
    assert settings.cache_dir == tmp_path / "cache"
    assert settings.model == (str(tmp_path / "tiny.gguf"),)


def test_the_tilde_is_the_home_folder(monkeypatch, tmp_path, config):
    monkeypatch.setenv("HOME", str(tmp_path))

    assert load_settings(config('data_dir = "~/data"')).data_dir == tmp_path / "data"


def test_a_given_file_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: No such file"):
        load_settings(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("text", ["port 8000", "port = \n", "[a\n"])
def test_bad_toml_is_named_with_its_place(config, text):
    with pytest.raises(ConfigurationError, match=r"tramontane\.toml is not valid TOML: .*line 1"):
        load_settings(config(text))


def test_a_file_that_is_not_text_is_an_error(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigurationError, match="is not valid TOML"):
        load_settings(path)


def test_an_unknown_key_suggests_the_near_one(config):
    with pytest.raises(ConfigurationError, match=r"'data-dir' in .*toml; did you mean data_dir\?"):
        load_settings(config('data-dir = "x"'))


def test_an_unknown_variable_suggests_the_near_one(monkeypatch):
    monkeypatch.setenv("TRAMONTANE_PROT", "1")

    with pytest.raises(ConfigurationError, match=r"'TRAMONTANE_PROT'; did you mean TRAMONTANE_PORT\?"):
        load_settings()


def test_the_variables_of_a_kubernetes_service_are_not_ours(monkeypatch):
    monkeypatch.setenv("TRAMONTANE_PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("TRAMONTANE_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("TRAMONTANE_SERVICE_PORT_HTTP", "8000")
    monkeypatch.setenv("TRAMONTANE_PORT_8000_TCP", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("TRAMONTANE_PORT_8000_TCP_ADDR", "10.0.0.1")

    assert load_settings() == Settings()


def test_a_bad_value_says_where_it_was_said_and_what_is_allowed(config, monkeypatch):
    with pytest.raises(ConfigurationError, match=r"^plan in .*tramontane\.toml is 'gold': .*'experiment'"):
        load_settings(config('plan = "gold"'))
    with pytest.raises(ConfigurationError, match=r"^--port is 70000: .*65535"):
        load_settings(port=70000)
    monkeypatch.setenv("TRAMONTANE_SLOTS", "many")
    with pytest.raises(ConfigurationError, match=r"^TRAMONTANE_SLOTS is 'many': .*integer"):
        load_settings()


def test_all_bad_values_are_told_at_once(monkeypatch):
    monkeypatch.setenv("TRAMONTANE_SLOTS", "0")

    with pytest.raises(ConfigurationError) as raised:
        load_settings(port=-1)

    assert {line.split()[0] for line in str(raised.value).splitlines()} == {"--port", "TRAMONTANE_SLOTS"}


@pytest.mark.parametrize(
    "key", ["short", "with a space", "tab\ttab\ttab", "größe-größe", "ends\nin a line\n"]
)
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key, monkeypatch):
    monkeypatch.setenv("TRAMONTANE_API_KEY", key)

    with pytest.raises(ConfigurationError) as raised:
        load_settings()

    assert "TRAMONTANE_API_KEY" in str(raised.value)
    assert key not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_a_key_is_not_shown_with_the_settings(monkeypatch):
    monkeypatch.setenv("TRAMONTANE_API_KEY", "an-operators-key")
    settings = load_settings()

    assert settings.api_key.get_secret_value() == "an-operators-key"
    assert "an-operators-key" not in f"{settings} {settings!r} {settings.model_dump()}"


@pytest.mark.parametrize("name", ["database_url", "redis_url"])
def test_a_url_of_another_kind_is_refused_without_being_shown(name, monkeypatch):
    monkeypatch.setenv(env_name(name), "mysql://someone:hidden@host/db")

    with pytest.raises(ConfigurationError, match=r"must be a URL that begins with \w+://") as raised:
        load_settings()
    assert "hidden" not in str(raised.value)


def test_passwords_in_urls_are_not_shown_with_the_settings(monkeypatch):
    monkeypatch.setenv("TRAMONTANE_DATABASE_URL", "postgresql://someone:hidden@host/db")
    monkeypatch.setenv("TRAMONTANE_REDIS_URL", "redis://:hidden@host/0")
    settings = load_settings()

    assert settings.database_url.get_secret_value().endswith("@host/db")
    assert "hidden" not in f"{settings} {settings!r} {settings.model_dump()}"


def test_an_admin_key_is_another_key(monkeypatch):
    monkeypatch.setenv("TRAMONTANE_API_KEY", "one-for-everything")
    monkeypatch.setenv("TRAMONTANE_ADMIN_KEY", "one-for-everything")

    with pytest.raises(ConfigurationError, match=r"^TRAMONTANE_ADMIN_KEY: must be another one"):
        load_settings()


def test_folders_of_adapters_are_a_list_wherever_they_are_said(tmp_path, monkeypatch):
    file = tmp_path / "tramontane.toml"
    file.write_text('adapters = ["one", "/two"]\n')

    assert load_settings(file).adapters == (tmp_path / "one", Path("/two"))
    monkeypatch.chdir(tmp_path)
    assert load_settings(file, adapters="a, b,").adapters == (tmp_path / "a", tmp_path / "b")
    monkeypatch.setenv("TRAMONTANE_ADAPTERS", "/three")
    assert load_settings(file).adapters == (Path("/three"),)
    assert load_settings(file, adapters="").adapters == ()


def test_adapters_that_are_no_list_of_folders_are_refused(tmp_path):
    file = tmp_path / "tramontane.toml"
    file.write_text("adapters = 3\n")

    with pytest.raises(ConfigurationError, match="adapters in"):
        load_settings(file)
