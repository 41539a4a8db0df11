"""The tokenizer, special tokens and chat template that a GGUF file carries -> transformers' files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from webgpu_kit.errors import ExportError, first_line
from webgpu_kit.export.gguf_file import GgufFile

SPACE = "\u2581"  # how SentencePiece spells a space
CONTROL = 3  # llama.cpp's token types
# Byte-level vocabularies by how text is cut before merging (`tokenizer.ggml.pre`). transformers knows those that it
# lists; to every other name it gives GPT-2's expression, which is right for the first of these sets and loses the
# digits of the second: there every digit stands alone.
PLAIN_SPLITS = ("default", "gpt-2", "mpt", "olmo", "jais", "phi-2", "roberta-bpe", "gigachat", "jina-es", "jina-de")
DIGIT_SPLITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")
# transformers reads the vocabulary of those architectures alone whose weights it reads: others are read as one of them.
SAME_VOCABULARY = {"gemma": "gemma2", "smollm3": "llama"}
END_TOKENS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<end_of_turn>", "</s>")


def write_tokenizer(file: GgufFile, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja into `folder`. Raises ExportError."""
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    if not tokens:
        raise ExportError(
            f"{file.path}: it carries no tokenizer (tokenizer.ggml.tokens), which the page needs.",
            fix="convert the model to GGUF again, with its tokenizer files beside it",
        )
    if not file.metadata.get("tokenizer.chat_template"):
        raise ExportError(
            f"{file.path}: it carries no chat template (tokenizer.chat_template), which a chat needs.",
            fix="give the instruct or chat version of the model",
        )
    tokenizer = _convert_tokenizer(file)
    tokenizer.chat_template = file.metadata["tokenizer.chat_template"]
    if len(tokenizer) > len(tokens):
        raise ExportError(
            f"{file.path}: with its special tokens the vocabulary is {len(tokenizer)} long, not {len(tokens)}.",
            fix="convert the model to GGUF again, with a newer llama.cpp",
        )
    tokenizer.save_pretrained(folder)


def _convert_tokenizer(file: GgufFile) -> Any:
    from transformers import AutoTokenizer

    kind, split = file.metadata.get("tokenizer.ggml.model"), _read_split(file)
    try:
        with _find_vocabulary(file) as path:
            tokenizer = AutoTokenizer.from_pretrained(
                path.parent, gguf_file=path.name, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # whatever a vocabulary provokes in transformers
        raise ExportError(
            f"{file.path}: transformers cannot read its tokenizer of the kind '{kind}': {first_line(error)}",
            fix="give the model's Hugging Face folder",
        ) from error
    if split == "digits":
        _split_digits(tokenizer.backend_tokenizer)
    if kind == "llama":
        _prefix_spaces(tokenizer.backend_tokenizer, bool(file.metadata.get("tokenizer.ggml.add_space_prefix", True)))
    # What `from_pretrained` was asked for is no business of the page's.
    for key in ("is_local", "local_files_only", "gguf_file"):
        tokenizer.init_kwargs.pop(key, None)
    return tokenizer


@contextmanager
def _find_vocabulary(file: GgufFile) -> Iterator[Path]:
    """A file whose vocabulary transformers reads: a copy of it, where transformers does not know the architecture."""
    import gguf

    if file.architecture not in SAME_VOCABULARY:
        yield file.path
        return
    with tempfile.TemporaryDirectory(prefix="webgpu-kit-") as folder:
        path = Path(folder) / "vocabulary.gguf"
        writer = gguf.GGUFWriter(path, SAME_VOCABULARY[file.architecture])
        reader = gguf.GGUFReader(file.path)
        for key, field in reader.fields.items():
            if key.startswith("tokenizer."):
                writer.add_key_value(key, field.contents(), field.types[0], *field.types[1:2])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        yield path


def _read_split(file: GgufFile) -> str:
    """How this vocabulary cuts text before merging: 'digits', or 'transformers' where transformers does it right."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    name = str(file.metadata.get("tokenizer.ggml.pre", "default"))
    if file.metadata.get("tokenizer.ggml.model") != "gpt2" or name in (*GGUF_PRE_TOKENIZER_SPLITS, *PLAIN_SPLITS):
        return "transformers"
    if name in DIGIT_SPLITS:
        return "digits"
    known = sorted({*GGUF_PRE_TOKENIZER_SPLITS, *PLAIN_SPLITS, *DIGIT_SPLITS})
    raise ExportError(
        f"{file.path}: its vocabulary cuts text in the way '{name}' (tokenizer.ggml.pre), which is not supported. "
        f"Supported: {', '.join(known)}.",
        fix="give the model's Hugging Face folder",
    )


def _split_digits(backend: Any) -> None:
    from tokenizers import pre_tokenizers

    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def _prefix_spaces(backend: Any, prefix: bool) -> None:
    """SentencePiece's space before a text, which transformers leaves out where the text begins with one itself."""
    from tokenizers import decoders, normalizers

    spell = normalizers.Replace(" ", SPACE)
    backend.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), spell]) if prefix else spell
    backend.pre_tokenizer = None
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    backend.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if prefix else steps)


def find_end_tokens(file: GgufFile) -> list[int]:
    """The ids that end an answer: the file's own, and control tokens that are spelled like one."""
    tokens, kinds = file.metadata["tokenizer.ggml.tokens"], file.metadata.get("tokenizer.ggml.token_type", [])
    named = [file.metadata.get(f"tokenizer.ggml.{key}_token_id") for key in ("eos", "eot", "eom")]
    spelled = [index for index, kind in enumerate(kinds) if kind == CONTROL and tokens[index] in END_TOKENS]
    return sorted({int(index) for index in (*named, *spelled) if index is not None})
