import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.process
def test_imports_run_downwards_only():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_only_settings_the_commands_and_the_call_of_pip_read_the_environment():
    readers = {
        path.relative_to(ROOT / "src/tramontane").parts[0]
        for path in (ROOT / "src/tramontane").rglob("*.py")
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    assert readers <= {"settings", "cli", "weights"}, readers


SLOW = {
    "alembic",
    "httpx",
    "huggingface_hub",
    "mistral_common",
    "openvino",
    "redis",
    "rich",
    "soundfile",
    "PIL",
}


@pytest.mark.process
def test_what_is_slow_to_import_and_not_always_needed_waits_until_it_is():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, tramontane.bootstrap; print(*sys.modules, sep='\\n')"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not SLOW & set(done.stdout.split())
