"""A GGUF as Transformers.js's users publish it: exported by optimum-onnx, in the dtypes of its conversion script.

    python export_decoder.py GGUF FOLDER        # in an environment with optimum-onnx, which needs older transformers

Gives FOLDER/onnx/model.onnx (fp32), model_quantized.onnx (q8) and model_q4.onnx, and the tokenizer's files.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from optimum.exporters.onnx import main_export
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(gguf: Path, out: Path) -> None:
    """Write the folder; the tokenizer's files and the templates come from the GGUF too."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, exported = Path(scratch) / "hf", Path(scratch) / "onnx"
        AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
        main_export(str(folder), exported, task="text-generation-with-past", do_validation=False)
        (out / "onnx").mkdir(parents=True)
        for path in (path for path in exported.iterdir() if path.suffix in (".json", ".jinja")):
            shutil.copyfile(path, out / path.name)
        fp32, q8, q4 = (out / "onnx" / f"model{suffix}.onnx" for suffix in ("", "_quantized", "_q4"))
        onnx.save(onnx.load(exported / "model.onnx"), fp32)
        quantize_dynamic(fp32, q8, weight_type=QuantType.QInt8, extra_options={"EnableSubgraph": True})
        quantizer = MatMulNBitsQuantizer(onnx.load(fp32), block_size=32, is_symmetric=True, accuracy_level=0)
        quantizer.process()
        onnx.save(quantizer.model.model, q4)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
