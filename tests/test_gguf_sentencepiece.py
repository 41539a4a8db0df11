"""A SentencePiece vocabulary in a GGUF file: spaces are spelled as llama.cpp spells them."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest
from tiny_language_model import TEMPLATE

from webgpu_kit.export.gguf_file import read_gguf
from webgpu_kit.export.gguf_tokenizer import write_tokenizer

PIECES = ("<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁▁", "▁a", "▁", "a", "b")


@pytest.mark.parametrize(
    ("prefix", "text", "pieces"),
    [
        (True, "a", ["▁a"]),
        (True, " a", ["▁▁", "a"]),  # a space more than the text has, and the first two merge first
        (True, "bé", ["▁", "b", "<0xC3>", "<0xA9>"]),
        (True, "", []),
        (False, "a", ["a"]),
        (False, " a", ["▁a"]),
    ],
)
def test_a_space_goes_before_every_text_where_the_file_says_so(
    tmp_path: Path, prefix: bool, text: str, pieces: list[str]
) -> None:
    from transformers import AutoTokenizer

    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list(PIECES)
    writer.add_token_scores([-float(index) for index in range(len(PIECES))])
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * 5])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(prefix)
    writer.add_chat_template(TEMPLATE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    write_tokenizer(read_gguf(tmp_path / "a.gguf"), tmp_path)
    (tmp_path / "a.gguf").unlink()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == pieces
    assert tokenizer.decode(ids) == text
