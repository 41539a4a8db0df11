"""The tokenizer as the page gets it: tokenizer.json as it runs here, where the page's own stages can do the same.

What they cannot do is refused, by name: tokens that are nearly the original's give answers that are nearly right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from webgpu_kit.errors import ExportError

# What site_templates/kit/text/ knows: tests/test_tokenization.py has each of them in a tokenizer, and no other.
KNOWN: Mapping[str, tuple[str, ...]] = {
    "normalizer": (
        *("BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Prepend"),
        *("Replace", "Sequence", "Strip", "StripAccents"),
    ),
    "pre_tokenizer": (
        *("BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "FixedLength", "Metaspace", "Punctuation"),
        *("Sequence", "Split", "Whitespace", "WhitespaceSplit"),
    ),
    "model": ("BPE", "Unigram", "WordLevel", "WordPiece"),
    "post_processor": ("BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"),
    "decoder": (
        *("BPEDecoder", "ByteFallback", "ByteLevel", "CTC", "Fuse", "Metaspace", "Replace", "Sequence", "Strip"),
        "WordPiece",
    ),
}
SPELLED_DECODERS = {"ByteFallback", "Fuse", "Metaspace", "Replace", "Sequence", "Strip"}  # of SentencePiece's kind
FIX = "use another model, or ask for this part in an issue of webgpu-kit"
# Oniguruma's constructs that JavaScript has not, or has with another meaning.
REFUSED_SYNTAX = {
    r"[?*+]\+": "a possessive quantifier",
    r"\(\?>": "an atomic group",
    r"\(\?[imxsu-]+\)|\(\?(?!i:)[imxsu-]+:": "an inline flag",
    r"\(\?i:[^)]*[^A-Za-z'|)]": "a group without case that holds more than letters",
    r"\(\?[~(#&]": "an absence operator, a condition or a comment",
    r"\\[GKXRNOyYkg1-9]": "a reference or an anchor that JavaScript has not",
}
PARTS = ("normalizers", "pretokenizers", "processors", "decoders")


def write_page_tokenizer(backend: Any, where: str, *, speaks: bool = False) -> bytes:
    """tokenizer.json without its padding and truncation, which are the page's. `speaks`: it also streams text.

    Raises ExportError, naming `where`, for a part that the page cannot do exactly.
    """
    import tokenizers

    copy = tokenizers.Tokenizer.from_str(backend.to_str())
    copy.no_padding()
    copy.no_truncation()
    text: str = copy.to_str()
    check_tokenizer(json.loads(text), where, speaks=speaks)
    return text.encode()


def check_tokenizer(tokenizer: Mapping[str, Any], where: str, *, speaks: bool = False) -> None:
    """Raise ExportError for the first part of a tokenizer.json that the page cannot do exactly."""
    for stage, known in KNOWN.items():
        for part in walk_parts(tokenizer.get(stage)):
            if part["type"] not in known:
                name = stage.replace("_", "-")
                raise ExportError(
                    f"{where}: its tokenizer has the {name} '{part['type']}', which the page does not know. "
                    f"Known: {', '.join(known)}.",
                    fix=FIX,
                )
            _check_pattern(part, where)
    if tokenizer["model"].get("dropout"):
        raise ExportError(
            f"{where}: its tokenizer drops merges at random (dropout {tokenizer['model']['dropout']}): "
            "its tokens are never the same twice.",
            fix="set model.dropout to null in tokenizer.json",
        )
    _check_template(tokenizer.get("post_processor"), where)
    if speaks:
        _check_streaming(tokenizer.get("decoder"), where)


def check_places(tokenizer: Mapping[str, Any], where: str) -> None:
    """Raise ExportError where the page could not tell from which characters each token comes."""
    model = tokenizer["model"]
    bytes_too = any(part["type"] == "ByteLevel" for part in walk_parts(tokenizer.get("pre_tokenizer")))
    respelled = ("byte_fallback", "continuing_subword_prefix", "end_of_word_suffix")
    found = [] if bytes_too or model["type"] == "WordPiece" else [name for name in respelled if model.get(name)]
    if found:
        raise ExportError(
            f"{where}: its tokenizer's {model['type']} model spells words anew ({', '.join(found)}), "
            "so that the page cannot mark its tokens in the text.",
            fix=FIX,
        )


def walk_parts(config: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """A stage of tokenizer.json and the steps within it."""
    if not config:
        return
    yield config
    for name in PARTS:
        for part in config.get(name, ()):
            yield from walk_parts(part)


def _check_pattern(part: Mapping[str, Any], where: str) -> None:
    pattern = part.get("pattern")
    expression = pattern.get("Regex") if isinstance(pattern, Mapping) else None
    for syntax, name in REFUSED_SYNTAX.items():
        if expression is not None and re.search(syntax, expression.replace(r"\\", "")):
            raise ExportError(
                f"{where}: the {part['type']} of its tokenizer has {name} in its regular expression {expression!r}, "
                "which the page cannot do exactly.",
                fix=FIX,
            )


def _check_template(config: Mapping[str, Any] | None, where: str) -> None:
    adding = [part["type"] for part in walk_parts(config) if part["type"] not in ("ByteLevel", "Sequence")]
    if len(adding) > 1:
        raise ExportError(
            f"{where}: several post-processors of its tokenizer add special tokens ({', '.join(adding)}); "
            "the page can do with one.",
            fix=FIX,
        )


def _check_streaming(config: Mapping[str, Any] | None, where: str) -> None:
    types = {part["type"] for part in walk_parts(config)}
    spelled = types <= SPELLED_DECODERS and types & {"ByteFallback", "Metaspace"}
    if types == {"ByteLevel"} or (spelled and all(_is_streamed(part) for part in walk_parts(config))):
        return
    raise ExportError(
        f"{where}: its tokenizer's decoder ({', '.join(sorted(types)) or 'none'}) is neither byte-level nor "
        "SentencePiece's, so that the page cannot show the answer token by token.",
        fix=FIX,
    )


def _is_streamed(part: Mapping[str, Any]) -> bool:
    """Whether a decoder does what the page's stream does: spaces for U+2581, and one less at the start at most."""
    if part["type"] == "Replace":
        return bool(part["pattern"] == {"String": "\u2581"} and part["content"] == " ")
    if part["type"] == "Strip":
        return bool(part["content"] == " " and part["start"] <= 1 and part["stop"] == 0)
    return bool(part["type"] != "Metaspace" or part["replacement"] == "\u2581")
