from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from webgpu_kit import cli
from webgpu_kit.manifest import Manifest

REPOSITORY = Path(__file__).parent.parent


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "webgpu_kit.cli", *arguments], capture_output=True, text=True, check=False
    )


def test_help_imports_nothing_heavy() -> None:
    heavy = ("onnx", "numpy", "torch", "playwright", "rich", "pydantic")
    code = f"import sys, webgpu_kit.cli; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["build", "index", "serve", "check", "bench", "doctor", "models"])
def test_every_command_and_option_is_explained(command: str) -> None:
    found = cli.commands.get_command(click.Context(cli.commands), command)
    assert found is not None and found.help
    for parameter in found.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{command} {parameter.opts} has no help"


def test_readme_names_every_command_and_option() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for name, command in cli.commands.commands.items():
        assert f"webgpu-kit {name}" in readme
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert any(option in readme for option in parameter.opts), f"README lacks {name} {parameter.opts}"
    known = {
        option
        for command in (cli.commands, *cli.commands.commands.values())
        for p in command.params
        for option in p.opts
    }
    for line in re.findall(r"webgpu-kit .*", readme):
        unknown = set(re.findall(r"(?<=[\s`])--[a-z][a-z-]+", line)) - known - {"--help", "--version"}
        assert not unknown, f"README speaks of {unknown}"


def test_build_prints_results_on_stdout_and_progress_on_stderr(tmp_path: Path) -> None:
    answer = run("build", "digits", "--out", str(tmp_path / "site"), "--dtypes", "q8", "--title", "Zahlen")
    assert answer.returncode == 0, answer.stderr
    assert "q8" in answer.stdout and "probability_error" in answer.stdout and "Zahlen" in answer.stdout
    assert "making the variant q8" in answer.stderr and "variant" not in answer.stderr.replace("making the variant", "")


def test_json_is_one_document(tmp_path: Path) -> None:
    answer = run("build", "digits", "--out", str(tmp_path / "site"), "--dtypes", "q8", "--json")
    document = json.loads(answer.stdout)
    assert Manifest.model_validate(document["manifest"]).name == "digits" and document["rejected"] == {}
    failed = run("build", "nowhere", "--json")
    assert failed.returncode == 2 and json.loads(failed.stdout)["error"]["type"] == "RecipeError"
    listed = json.loads(run("models", "--json").stdout)
    assert {entry["name"] for entry in listed} >= {"digits", "minilm"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["build"], 2, "Missing argument 'SOURCE'"),
        (["build", "digits", "--frobnicate"], 2, "No such option"),
        (["build", "digits", "--dtypes", "q3"], 2, "dtype 'q3' is not supported. Supported: fp32, fp16, q8, q4, q4f16"),
        (["build", "digits", "--task", "sing"], 2, "task 'sing' is not supported"),
        (["build", "digits", "--shape", "image=1,a"], 2, "'image=1,a' is not NAME=1,3,224,224"),
        (["build", "absent.onnx"], 1, "SourceError: absent.onnx"),
        (["check", "absent"], 1, "BundleError: absent: not a site"),
        (["bench", "absent"], 1, "BundleError: absent: not a site"),
        (["serve", "absent"], 1, "ServeError"),
        (["check", ".", "--browser", "lynx"], 2, "'lynx' is not one of"),
        (["dance"], 2, "No such command 'dance'"),
    ],
)
def test_wrong_input_gets_one_clear_message(arguments: list[str], code: int, message: str) -> None:
    answer = run(*arguments)
    assert answer.returncode == code, answer.stderr
    assert message in answer.stderr and "Traceback" not in answer.stderr and not answer.stdout


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in run("build", "absent.onnx", "--debug").stderr


def test_version() -> None:
    assert re.fullmatch(r"webgpu-kit, version \d+\.\d+\.\d+\n", CliRunner().invoke(cli.commands, ["--version"]).output)
