import subprocess
import sys

import pytest
from click.testing import CliRunner

from tramontane import __version__
from tramontane.cli import main as module
from tramontane.cli.main import cli, run
from tramontane.cli.options import has_option
from tramontane.errors import ConfigurationError, ModelStoreError, StorageError
from tramontane.settings import Settings, env_name, option_name


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"tramontane {__version__}\n"


def test_help_and_version_load_nothing_slow():
    script = (
        "import sys; from tramontane.cli.main import run\n"
        "run(['--help']); run(['--version'])\n"
        "print({'pydantic', 'sqlalchemy', 'httpx', 'uvicorn', 'rich', 'openvino'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.endswith("set()\n")


def test_every_command_has_help():
    for name in module.COMMANDS:
        result = CliRunner().invoke(cli, [name, "--help"])
        assert result.exit_code == 0
        assert module.COMMANDS[name] in result.output


def test_the_help_of_serve_explains_every_setting():
    text = " ".join(CliRunner().invoke(cli, ["serve", "--help"], terminal_width=10_000).output.split())

    for name, field in Settings.model_fields.items():
        assert (f"env: {env_name(name)};" in text) is has_option(field)
        assert (f"{option_name(name)} " in text) is has_option(field)
        assert not has_option(field) or " ".join(field.description.split()) in text


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigurationError("why"), 2), (ModelStoreError("why"), 3), (StorageError("why"), 1)]
)
def test_errors_of_ours_are_one_line_and_an_exit_code(error, code, monkeypatch, capsys):
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(module.cli, "main", fail)

    assert run([]) == code
    assert capsys.readouterr().err == "tramontane: why\n"
    assert code in module.EXIT_CODES


@pytest.mark.parametrize(
    "arguments",
    [["serve", "--no-such-option"], ["serve", "--port", "x"], ["no-such-command"], ["serve", "--plan", "x"]],
)
def test_wrong_usage_is_told_without_a_traceback(arguments, capsys):
    assert run(arguments) == 2
    assert "Error: " in capsys.readouterr().err


def test_a_setting_that_cannot_work_names_its_option(capsys):
    assert run(["serve", "--port", "70000"]) == 2
    assert capsys.readouterr().err.startswith("tramontane: --port is 70000: ")


def test_a_reader_that_leaves_is_no_traceback():
    done = subprocess.run(
        f"{sys.executable} -m tramontane serve --help | true",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
