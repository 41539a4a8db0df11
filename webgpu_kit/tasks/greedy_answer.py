"""A long answer of the original's own, always taking the likeliest token: what `check` asks the page for again.

Scored tokens show that each step is right when it is given the ones before; this shows the whole way through the page:
its chat template, its tokenizer, its loop over its own cache, its text.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from webgpu_kit.recipe import Recipe
from webgpu_kit.tasks.chat_template import render_chats
from webgpu_kit.tasks.task import Original

ANSWER_TOKENS = 80
CHAT = [{"role": "user", "content": "Tell me a story about a lighthouse keeper, her dog and a storm."}]
# A template that writes the day's date makes another prompt tomorrow: there is no answer to hold a page to.
DATED = "strftime_now"


def record_answers(original: Original, recipe: Recipe) -> list[dict[str, Any]]:
    """The original's greedy answer, ready for JSON; none where the context or the template does not allow it.

    `messages` as the page's chat API takes them, `prompt_tokens` the length of the prompt that they make, `token_ids`
    the answer, its end token included if it came, `margins` by how much (nats) each token was likelier than the next
    best, `text` the whole, and `ends` how many characters of it are sure after each token.
    """
    generation, tokenizer = original.settings["generation"], original.tokenizer
    if DATED in generation["chat_template"]:
        return []
    prompt = _make_prompt(original)
    count = min(ANSWER_TOKENS, generation["context_length"] - len(prompt))
    if count < 1:
        return []
    ids = np.asarray([prompt], dtype=np.int64)
    made = original.run({"input_ids": ids, "attention_mask": np.ones_like(ids), "new_tokens": np.asarray(count)})
    answer, margins = made["token_ids"][0].tolist(), made["margins"][0].tolist()
    stops = [place for place, token in enumerate(answer) if token in generation["eos_token_ids"]]
    answer = answer[: stops[0] + 1] if stops else answer
    texts = [_decode(tokenizer, answer[: end + 1]) for end in range(len(answer))]
    return [
        {
            "messages": CHAT,
            "prompt_tokens": len(prompt),
            "token_ids": answer,
            "margins": [round(margin, 6) for margin in margins[: len(answer)]],
            "text": texts[-1],
            "ends": [len(text) for text in texts],
        }
    ]


def _make_prompt(original: Original) -> list[int]:
    generation, tokenizer = original.settings["generation"], original.tokenizer
    names = {name: getattr(tokenizer, name) or "" for name in ("bos_token", "eos_token")}
    [text] = render_chats(generation["chat_template"], [CHAT], names)
    prompt: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    begin = generation["bos_token_id"]
    return [begin, *prompt] if generation["add_bos"] and prompt[:1] != [begin] else prompt


def _decode(tokenizer: Any, ids: list[int]) -> str:
    text: str = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text.rstrip("\ufffd")  # the beginning of a character that the next token may make whole
