"""What is refused before anything reads the weights, and how it is said."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from webgpu_kit.errors import SourceError
from webgpu_kit.source.model_files import (
    check_model_files,
    external_locations,
    hash_model_files,
    load_onnx_graph,
    read_card_license,
    suggest_names,
)


def make_model() -> onnx.ModelProto:
    """y = x @ w, with w 4 x 4."""
    weight = numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", shapes[:1], shapes[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def write_external(folder: Path, location: str = "w.data") -> Path:
    path = folder / "model.onnx"
    onnx.save_model(make_model(), path, save_as_external_data=True, location="w.data", size_threshold=0)
    if location != "w.data":
        model = onnx.load(path, load_external_data=False)
        for entry in model.graph.initializer[0].external_data:
            entry.value = location if entry.key == "location" else entry.value
        path.write_bytes(model.SerializeToString())
    return path


def write_safetensors(path: Path, *, cut: int = 0) -> Path:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(8)
    path.write_bytes(content[: len(content) - cut])
    return path


def write_folder(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    write_safetensors(folder / "model.safetensors")
    return folder


def refusal(path: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        check_model_files(path)
    assert str(path.name) in caught.value.message
    assert caught.value.fix
    return caught.value


def test_good_files_are_told_apart(tmp_path: Path) -> None:
    onnx.save_model(make_model(), tmp_path / "a.onnx")
    (tmp_path / "b.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    assert check_model_files(tmp_path / "a.onnx") == "onnx"
    assert check_model_files(tmp_path / "b.gguf") == "gguf"
    assert check_model_files(write_folder(tmp_path / "folder")) == "folder"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "LFS pointer"),
        (b"\n<!DOCTYPE html><html>sign in</html>", "HTML page"),
        (b"\xef\xbb\xbf<html>", "HTML page"),
        (b"PK\x03\x04" + bytes(60), "not unpickled"),
        (b"just some text, no model", "not an ONNX file"),
        (b"\x08\x09", "holds no graph"),
    ],
)
def test_things_named_onnx_that_are_not(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert said in refusal(path).message


def test_lfs_pointer_names_the_command(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert "git lfs pull" in refusal(path).fix


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_truncated_onnx(tmp_path: Path, share: float) -> None:
    content = make_model().SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    assert "truncated" in refusal(path).message


def test_external_data_beside_the_model_are_accepted(tmp_path: Path) -> None:
    path = write_external(tmp_path)
    assert check_model_files(path) == "onnx"
    assert external_locations(load_onnx_graph(path)) == {"w.data"}


def test_missing_external_data_name_the_near_file(tmp_path: Path) -> None:
    path = write_external(tmp_path)
    (tmp_path / "w.data").rename(tmp_path / "w2.data")
    error = refusal(path)
    assert "'w.data' is missing" in error.message
    assert "w2.data" in error.fix


@pytest.mark.parametrize("location", ["/etc/passwd", "../w.data", "a/../../w.data", "C:\\w.data", "..\\w.data", ""])
def test_external_data_outside_the_folder(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "w.data").write_bytes(bytes(64))
    assert "outside" in refusal(write_external(folder, location)).message


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_external_data_through_links(tmp_path: Path) -> None:
    path = write_external(tmp_path)
    (tmp_path / "w.data").rename(tmp_path / "real.data")
    (tmp_path / "w.data").symlink_to("real.data")
    assert "symbolic link" in refusal(path).message
    (tmp_path / "w.data").unlink()
    (tmp_path / "w.data").hardlink_to(tmp_path / "real.data")
    assert "hard link" in refusal(path).message


def test_external_data_through_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "w.data").write_bytes(bytes(64))
    (tmp_path / "model").mkdir()
    path = write_external(tmp_path / "model", "sub/w.data")
    (tmp_path / "model" / "sub").symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in refusal(path).message


def test_truncated_external_data(tmp_path: Path) -> None:
    path = write_external(tmp_path)
    (tmp_path / "w.data").write_bytes(bytes(20))
    assert "which has 20 bytes" in refusal(path).message


def test_external_data_in_subgraphs_are_found(tmp_path: Path) -> None:
    inner = make_model().graph
    inner.initializer[0].data_location = TensorProto.EXTERNAL
    inner.initializer[0].external_data.add(key="location", value="../out.data")
    del inner.input[:]
    branch = helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph(
        [branch],
        "outer",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    assert "'../out.data'" in refusal(path).message


@pytest.mark.parametrize("name", ["weights.bin", "model.pt", "model.pth", "last.ckpt", "model.pkl"])
def test_pickles_are_refused_and_never_loaded(tmp_path: Path, name: str) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (os.mkdir, (str(tmp_path / "unpickled"),))

    folder = tmp_path / "hf"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    for path in (folder / name, folder):
        error = refusal(path)
        assert "pickled" in error.message
        assert "safe_serialization" in error.fix
    assert not (tmp_path / "unpickled").exists()


def test_folders_that_are_no_models(tmp_path: Path) -> None:
    folder = tmp_path / "hf"
    folder.mkdir()
    assert "config.json" in refusal(folder).message
    write_safetensors(folder / "model.safetensors")
    assert "no config.json" in refusal(folder).message
    (folder / "model.safetensors").unlink()
    (folder / "config.json").write_text("{}")
    assert "no weights" in refusal(folder).message
    (folder / "onnx").mkdir()
    onnx.save_model(make_model(), folder / "onnx" / "model.onnx")
    assert str(folder / "onnx" / "model.onnx") in refusal(folder).fix


def test_missing_shards_are_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "hf")
    shards = {"a": "model.safetensors", "b": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    error = refusal(folder)
    assert "1 of 2" in error.message
    assert "model-2.safetensors" in error.message


@pytest.mark.parametrize("cut", [3, 10, 60])
def test_truncated_safetensors(tmp_path: Path, cut: int) -> None:
    folder = write_folder(tmp_path / "hf")
    write_safetensors(folder / "model.safetensors", cut=cut)
    with pytest.raises(SourceError, match="truncated"):
        check_model_files(folder)


def test_gguf_magic_and_version(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGML" + bytes(40))
    assert "not a GGUF file" in refusal(path).message
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 1, 0, 0))
    assert "version 1" in refusal(path).message


@pytest.mark.parametrize("name", ["model.tflite", "model", "model.safetensors"])
def test_other_files_name_what_is_accepted(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x" * 30)
    refusal(path)


def test_hashes(tmp_path: Path) -> None:
    path = write_external(tmp_path)
    joined = path.read_bytes() + (tmp_path / "w.data").read_bytes()
    assert hash_model_files(path) == hashlib.sha256(joined).hexdigest()
    folder = write_folder(tmp_path / "hf")
    write_safetensors(folder / "a.safetensors", cut=1)
    joined = (folder / "a.safetensors").read_bytes() + (folder / "model.safetensors").read_bytes()
    assert hash_model_files(folder) == hashlib.sha256(joined).hexdigest()


@pytest.mark.parametrize(
    ("front_matter", "license_"),
    [
        ("license: mit", "mit"),
        ("license: [mit, apache-2.0]", "mit, apache-2.0"),
        ("license: other\nlicense_name: llama3", "llama3"),
        ("tags: [x]", ""),
        ("license: [broken", ""),
    ],
)
def test_card_license(tmp_path: Path, front_matter: str, license_: str) -> None:
    (tmp_path / "README.md").write_text(f"---\n{front_matter}\n---\n# Model\n")
    assert read_card_license(tmp_path) == license_


def test_suggestions() -> None:
    assert suggest_names("modle.onnx", ["model.onnx", "x"]) == "did you mean model.onnx?"
    assert suggest_names("zzz", ["b", "a"]) == "there are: a, b"
    assert suggest_names("zzz", []) == "check the path"
