"""What several test modules need: a built site, and small real ONNX models."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import parser

import webgpu_kit

REPOSITORY = Path(__file__).parent.parent

# A shell starts what it runs in the background deaf to Ctrl-C, and what that starts is deaf too: tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def built_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits site, built once; read only."""
    out = tmp_path_factory.mktemp("sites") / "digits"
    webgpu_kit.build("digits", out=out)
    return out


@pytest.fixture(scope="session")
def built_speaker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chat page of a tiny seeded llama in 4 bits, built once; read only."""
    return _build_speaker(tmp_path_factory.mktemp("speaker"), {"token_embd": "Q8_0", "blk": "Q4_1"})


@pytest.fixture(scope="session")
def built_q8_speaker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in 8 bits: it says on every backend what the original says."""
    return _build_speaker(tmp_path_factory.mktemp("speaker"), {"": "Q8_0"})


def _build_speaker(folder: Path, kinds: dict[str, str]) -> Path:
    for module in ("torch", "transformers", "gguf", "onnxruntime_genai"):
        pytest.importorskip(module)
    from builder_inside import builder_inside
    from tiny_language_model import write_gguf

    with builder_inside():
        webgpu_kit.build(write_gguf(folder / "tiny.gguf", kinds), out=folder / "site", title="Tiny")
    return folder / "site"


@pytest.fixture
def digits_site(built_digits: Path, tmp_path: Path) -> Path:
    """A copy of the digits site that a test may spoil."""
    return Path(shutil.copytree(built_digits, tmp_path / "site"))


@pytest.fixture
def write_onnx(tmp_path: Path) -> Callable[..., Path]:
    """Write a model given in ONNX's text form, `(inputs) => (outputs) { nodes }`, to a file."""

    def write(text: str, name: str = "model.onnx", opset: int = 18) -> Path:
        header = f'<ir_version: 9, opset_import: ["" : {opset}, "com.microsoft" : 1]>'
        path = tmp_path / name
        onnx.save(parser.parse_model(f"{header} graph {text}"), path)
        return path

    return write
