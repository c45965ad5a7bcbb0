"""A text as Whisper's tokens, by OpenAI's own tables.

The ``tokenizer.json`` that comes with models for CTranslate2 lacks the join of a space and ``t``:
it cuts " table" into three tokens that no Whisper was ever trained on. For decoding it is as good.
"""

from __future__ import annotations


def text_tokens(text: str, *, multilingual: bool) -> list[int]:
    """Tokens of a text without marks of any kind."""
    from whisper.tokenizer import get_encoding

    return list(get_encoding("multilingual" if multilingual else "gpt2").encode(text))
