"""text-generation: a chat in, an answer out, token by token.

The graph makes the logits of the last token from new tokens and the keys and values of those before (`past_*` in,
`present.*` out); the loop around it is the page's, and here, for parity, `_respond`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from webgpu_kit.artifacts import Array, Run, Sample, Source, Tensors
from webgpu_kit.errors import ExportError
from webgpu_kit.manifest import Interface
from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.chat_template import render_chats
from webgpu_kit.tasks.greedy_answer import record_answers
from webgpu_kit.tasks.page_tokenizer import write_page_tokenizer
from webgpu_kit.tasks.task import LOAD, Original, Task, TorchModel

ASKED = 8  # tokens whose probabilities are compared at each position; all others together are one more
# (chat, how many tokens of the answer are scored). The first is also the page's self-test, so it is short.
SAMPLE_CHATS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("Hi!",), 4),
    (("What is the capital of France?",), 9),
    (("Write a haiku about the sea.",), 9),
    (("Explain photosynthesis to a child in two sentences.",), 9),
    (("def fib(n):\n    # complete this Python function\n",), 9),
    (("Où est la bibliothèque ? Réponds en français, s'il te plaît.",), 9),
    (("List three fruits 🍎🍌 and their colours.",), 9),
    (("My name is Ada.", "Nice to meet you, Ada! How can I help?", "What is my name?"), 9),
    (("Add 12345 and 678, step by step.",), 9),
)


def _load(source: Source, recipe: Recipe) -> TorchModel:
    """The decoder. `module` continues a prompt greedily, or scores the tokens that it is given."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source.path, local_files_only=True, trust_remote_code=False)
    if not getattr(tokenizer, "is_fast", False):
        raise ExportError(
            f"{recipe.source}: no tokenizer.json, which the page needs.",
            fix="save the tokenizer with transformers' fast class",
        )
    if not isinstance(tokenizer.chat_template, str):
        raise ExportError(
            f"{recipe.source}: it has no single chat template, which a chat needs.",
            fix="give the instruct or chat version of the model",
        )
    model = AutoModelForCausalLM.from_pretrained(source.path, dtype=torch.float32, **LOAD).eval()
    return TorchModel(
        module=model,
        example={},
        assets=_read_assets(source.path, tokenizer, recipe.source),
        settings={"generation": _read_generation(source.path, model.config, tokenizer, recipe)},
        tokenizer=tokenizer,
    )


def _read_assets(folder: Path, tokenizer: Any, where: str) -> dict[str, bytes]:
    config = folder / "tokenizer_config.json"
    return {
        "tokenizer.json": write_page_tokenizer(tokenizer.backend_tokenizer, where, speaks=True),
        "tokenizer_config.json": config.read_bytes() if config.is_file() else b"{}",
        "chat_template.jinja": tokenizer.chat_template.encode(),
    }


def _read_generation(folder: Path, config: Any, tokenizer: Any, recipe: Recipe) -> dict[str, Any]:
    """`settings.generation`: what the page's loop needs to know of the model, and the sampling it starts with."""
    saved = folder / "generation_config.json"
    wishes = json.loads(saved.read_text(encoding="utf-8")) if saved.is_file() else {}
    ends = wishes.get("eos_token_id", config.eos_token_id)
    ends = list(ends) if isinstance(ends, list) else [ends]
    heads = config.num_attention_heads
    defaults = recipe.generation.model_dump()
    given = {key: wishes[key] for key in defaults if wishes.get(key) is not None}
    chosen = recipe.generation.model_dump(include=recipe.generation.model_fields_set)
    begin = tokenizer.bos_token_id
    return {
        "layers": config.num_hidden_layers,
        "kv_heads": getattr(config, "num_key_value_heads", None) or heads,
        "head_size": getattr(config, "head_dim", None) or config.hidden_size // heads,
        "vocabulary": config.vocab_size,
        "context_length": _limit_context(config),
        "bos_token_id": begin,
        "eos_token_ids": sorted({int(end) for end in (*ends, tokenizer.eos_token_id) if end is not None}),
        "add_bos": begin is not None and tokenizer("a")["input_ids"][:1] == [begin],
        "chat_template": tokenizer.chat_template,
        "cache_dtype": "float32",
        "defaults": {**defaults, **given, **chosen},
    }


def _limit_context(config: Any) -> int:
    """The tokens that positions are turned alike for. LongRoPE turns them otherwise beyond a first stretch.

    The keys in the cache would have to be made again there, so that stretch is the context.
    """
    longest, rotary = int(config.max_position_embeddings), getattr(config, "rope_parameters", None) or {}
    if rotary.get("rope_type") == "longrope":
        first = rotary.get("original_max_position_embeddings") or config.original_max_position_embeddings
        return min(longest, int(first))
    return longest


def wrap_decoder(loaded: TorchModel, origin: str) -> Original:
    """The loaded model as something that answers feeds of arrays.

    Shapes: `input_ids` and `attention_mask` (batch, sequence), padded on the left, with `new_tokens` n give `token_ids`
    (batch, n), the greedy continuation, and `margins` (batch, n), how far (nats) each is ahead of the next best.
    `input_ids` (1, sequence) with `scored` n give `logits` (n, vocabulary) of
    the last n; they are kept, because the sample's input and its output both come from them.
    """
    import torch

    kept: dict[bytes, Array] = {}

    def run(feeds: Tensors) -> Tensors:
        ids = torch.from_numpy(feeds["input_ids"])
        with torch.no_grad():
            if "new_tokens" in feeds:
                mask = torch.from_numpy(feeds["attention_mask"])
                return _continue_greedily(loaded.module, ids, mask, int(feeds["new_tokens"]))
            key, count = feeds["input_ids"].tobytes(), int(feeds["scored"])
            if key not in kept:
                kept[key] = loaded.module(input_ids=ids, logits_to_keep=count).logits[0].numpy()
        return {"logits": kept[key]}

    return Original(
        run=run,
        interface=Interface(inputs=[], outputs=[]),
        origin=origin,
        settings=loaded.settings,
        tokenizer=loaded.tokenizer,
    )


def _continue_greedily(model: Any, ids: Any, mask: Any, count: int) -> Tensors:
    import torch

    positions, cache, made, margins = (mask.cumsum(-1) - 1).clamp(min=0), None, [], []
    for _ in range(count):
        answer = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        best, cache = answer.logits[:, -1].topk(2), answer.past_key_values
        ids = answer.logits[:, -1].argmax(-1, keepdim=True)
        made.append(ids)
        margins.append(best.values[:, :1] - best.values[:, 1:])
        mask, positions = torch.cat([mask, torch.ones_like(ids)], dim=1), positions[:, -1:] + 1
    return {"token_ids": torch.cat(made, dim=1).numpy(), "margins": torch.cat(margins, dim=1).numpy()}


def _make_inputs(original: Original, recipe: Recipe) -> list[dict[str, Any]]:
    """Short chats with the original's own greedy answers; each position asks for its eight likeliest next tokens."""
    prompts = _tokenize_chats(original, recipe)
    answers = _answer_prompts(original, [ids for ids, _ in prompts])
    ends, samples = set(original.settings["generation"]["eos_token_ids"]), []
    for (ids, count), answer in zip(prompts, answers, strict=True):
        answer = answer[: count - 1]
        stop = next((place for place, token in enumerate(answer) if token in ends), len(answer))
        given = {"token_ids": ids + answer[:stop], "scored": stop + 1}
        top = np.argsort(-_score(given, original), axis=-1, kind="stable")[:, :ASKED].astype(np.int32)
        samples.append({**given, "ask": top})
    return samples


def _tokenize_chats(original: Original, recipe: Recipe) -> list[tuple[list[int], int]]:
    """The sample chats that the context holds, as token ids, each with the number of positions to score."""
    tokenizer, generation = original.tokenizer, original.settings["generation"]
    names = {name: getattr(tokenizer, name) or "" for name in ("bos_token", "eos_token")}
    chats = [_make_chat(texts) for texts, _ in SAMPLE_CHATS]
    texts = render_chats(generation["chat_template"], chats, names)
    prompts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    counted = [(ids, count) for ids, (_, count) in zip(prompts, SAMPLE_CHATS, strict=True)]
    fitting = [(ids, count) for ids, count in counted if len(ids) + count <= generation["context_length"]]
    if not fitting:
        raise ExportError(
            f"{recipe.source}: its context of {generation['context_length']} tokens holds none of the sample chats.",
            fix="give a model with a longer context",
        )
    return fitting


def _answer_prompts(original: Original, prompts: list[list[int]]) -> list[list[int]]:
    width, most = max(map(len, prompts)), max(count for _, count in SAMPLE_CHATS) - 1
    ids = np.zeros((len(prompts), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :], mask[row, width - len(prompt) :] = prompt, 1
    feeds = {"input_ids": ids, "attention_mask": mask, "new_tokens": np.asarray(most)}
    answers: list[list[int]] = original.run(feeds)["token_ids"].tolist()
    return answers


def _make_chat(texts: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


def _score(sample: Mapping[str, Any], original: Original) -> Array:
    return original.run(_encode(sample, original) | {"scored": np.asarray(sample["scored"])})["logits"]


def _encode(sample: Mapping[str, Any], original: Original) -> Tensors:
    return {"input_ids": np.asarray([sample["token_ids"]], dtype=np.int64)}


def _refer(sample: Mapping[str, Any], original: Original) -> Tensors:
    return {"top_ids": sample["ask"], "top_logprobs": read_logprobs(_score(sample, original), sample["ask"])}


def read_logprobs(logits: Array, asked: Array) -> Array:
    """Log-probabilities of the tokens `asked` (positions, any) by logits (positions, vocabulary)."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return np.take_along_axis(wide, asked.astype(np.int64), axis=-1).astype(np.float32)


def _respond(run: Run, sample: Sample, settings: Mapping[str, Any]) -> Tensors:
    """Score a sample as the page does: the prompt at once, then the given answer token by token over the cache."""
    generation, ids = settings["generation"], sample.feeds["input_ids"]
    prompt = ids.shape[1] - sample.input["scored"] + 1
    shape = (1, generation["kv_heads"], 0, generation["head_size"])
    names = [f"{layer}.{part}" for layer in range(generation["layers"]) for part in ("key", "value")]
    cache = {name: np.zeros(shape, dtype=generation["cache_dtype"]) for name in names}
    rows, start = [], 0
    for end in range(prompt, ids.shape[1] + 1):
        feeds = {f"past_key_values.{name}": value for name, value in cache.items()}
        feeds |= {"input_ids": ids[:, start:end], "attention_mask": np.ones((1, end), dtype=np.int64)}
        answer = run(feeds)
        cache, start = {name: answer[f"present.{name}"] for name in names}, end
        rows.append(answer["logits"][0, -1])
    logits = np.stack(rows)
    likeliest = logits.argmax(axis=-1).astype(np.int32)[:, None]
    return {"top_ids": likeliest, "top_logprobs": read_logprobs(logits, sample.input["ask"])}


def _describe(interface: Interface, recipe: Recipe) -> dict[str, Any]:
    raise ExportError(
        f"{recipe.where}: text-generation needs a GGUF file or a Hugging Face folder, not an .onnx file.",
        fix="give the .gguf file, the folder or org/name, or use --task tensor",
    )


TEXT_GENERATION = Task(
    name="text-generation",
    metric="kl_divergence",
    # Nats per token against the original. 0.001 cannot be seen in the text; at 0.05 a greedy answer takes another
    # word now and then.
    thresholds={"fp32": 0.001, "fp16": 0.001, "q8": 0.005, "q4": 0.05, "q4f16": 0.05},
    agreements={"fp16": 0.98, "q8": 0.98, "q4": 0.90, "q4f16": 0.90},
    dtypes=("q4", "q8", "fp32"),
    load=_load,
    describe=_describe,
    make_inputs=_make_inputs,
    encode=_encode,
    refer=_refer,
    attach=lambda model, settings: model,
    page_settings=lambda settings, recipe: {
        "prompts": recipe.page.prompts,
        "system_prompt": recipe.page.system_prompt,
    },
    respond=_respond,
    answer=record_answers,
)
