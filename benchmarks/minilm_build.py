"""`build minilm` beside the bare exporter plus quantizer that it uses, from the same local folder."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from webgpu_kit.recipe import find_recipe
from webgpu_kit.source import fetch_source
from webgpu_kit.vendor import models_folder

ROUNDS = 3
DTYPES = ("q8", "fp16", "fp32")
LIMITS = {"build_over_bare": ("<=", 1.2)}

# The libraries alone, as one would call them without us: export with fusions, then the same dtypes, saved.
BARE = """
import sys
import onnx_ir, torch
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16
from transformers import AutoModel, AutoTokenizer
from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter
import onnx
folder, out = sys.argv[1:]
model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
sample = dict(tokenizer(["one sentence", "and another one"], padding=True, return_tensors="pt"))
sample.pop("token_type_ids")
axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence", max=512)}
config = OnnxConfig(dynamic_shapes={name: axes for name in sample}, ort_fusions="webgpu")
program = OnnxExporter().export(model, sample, config=config).program
proto = onnx_ir.to_proto(program if isinstance(program, onnx_ir.Model) else program.model)
onnx.save(proto, out + "/fp32.onnx")
loaded, kinds = onnx.load(out + "/fp32.onnx"), ("MatMul", "Gather")
quantizer = MatMulNBitsQuantizer(loaded, bits=8, block_size=128, op_types_to_quantize=kinds)
quantizer.process()
onnx.save(quantizer.model.model, out + "/q8.onnx")
onnx.save(convert_float_to_float16(onnx.load(out + "/fp32.onnx"), keep_io_types=True), out + "/fp16.onnx")
"""


def measure() -> dict[str, float]:
    """Medians in seconds of alternating rounds; the ratio is that of the medians."""
    recipe = find_recipe("minilm", models_folder())
    source = fetch_source(recipe.source, base=recipe.folder, progress=print)
    bare_s, build_s = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            bare_s.append(_time([sys.executable, "-c", BARE, str(source.path), folder]))
            command = [sys.executable, "-m", "webgpu_kit.cli", "build", "minilm", "--dtypes", ",".join(DTYPES)]
            build_s.append(_time([*command, "--out", str(Path(folder) / "site")]))
    bare, build = statistics.median(bare_s), statistics.median(build_s)
    return {"bare_s": bare, "build_s": build, "build_over_bare": build / bare}


def _time(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started
