"""The notebook's chats: a question and its context in, the model's answer out.

    chat = GeminiChat(model="gemini-2.5-flash")
    print(chat.chat("...?", [], content))

`rag.Chat` under them has the rest: every provider, usage and cost, cancelling, async.
"""
from __future__ import annotations

import os
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import _settings
from .chat import Chat
from .errors import UsageError

_RULES = """\
Answer the question from the context below and from nothing else. Write in the language of the \
question. If the context does not hold the answer, say that the documents do not contain it; do \
not guess."""

_RAG = _RULES + """

Question: {question}

Context:
---
{context}
---

Answer:"""

_INTERNLM = _RULES + """ First sum up for yourself what the context says, then answer.

Question: {question}

Context:
---
{context}
---

Answer:"""

#: The prompts, with the places {question} and {context}. The misspelt keys are those of older
#: notebooks. Change an entry to change what the chats send.
PROMPT_TEMPLATE: Dict[str, str] = {
    "RAG_PROMPT_TEMPLATE": _RAG,
    "InternLM_PROMPT_TEMPLATE": _INTERNLM,
    "RAG_PROMPT_TEMPALTE": _RAG,
    "InternLM_PROMPT_TEMPALTE": _INTERNLM,
}


class BaseModel:
    """What chats have in common; one of your own derives from it.

    Args:
        path: of a local model; the chats by a provider don't use it.
    """

    def __init__(self, path: str = "") -> None:
        self.path = path

    def chat(self, prompt: str, history: Sequence[Mapping[str, str]], content: str) -> str:
        """Answers `prompt` from `content`."""
        raise NotImplementedError

    def load_model(self) -> None:
        """Prepares the model; nothing to do where a server has it."""


class ProviderChat(BaseModel):
    """A chat by one of the providers of `rag.Chat`.

    Attributes:
        model: the provider's name of the model.
        max_tokens: of an answer.
        temperature: 0 for always the same answer, more for more variety.
    """

    provider = ""
    key_variable = ""
    url_variable = ""
    template = "RAG_PROMPT_TEMPLATE"
    max_tokens = 8192
    temperature = 0.7

    def __init__(self, path: str = "", model: str = "") -> None:
        super().__init__(path)
        self.model = model

    def chat(self, prompt: str, history: Sequence[Mapping[str, str]], content: str) -> str:
        """Answers a question from a context.

        Args:
            prompt: the question.
            history: the turns before, oldest first: {"role": "user" or "assistant",
                "content": text}. It is read, not changed.
            content: the context, such as the best passage of `VectorStore.query`.

        Returns:
            The answer.

        Raises:
            rag.AuthError: there is no key, or the server refused it.
            rag.LimitError: the server still asks to slow down after the retries.
            rag.NetworkError: it could not be reached, or did not answer as it should.
        """
        with self._open() as chat:
            return chat.complete(self._messages(prompt, history, content),
                                 max_tokens=self.max_tokens, temperature=self.temperature)

    def stream(self, prompt: str, history: Sequence[Mapping[str, str]], content: str
               ) -> Iterator[str]:
        """As `chat`, but gives the answer in pieces while it is written. Closing the iterator,
        or leaving the loop, stops the model."""
        with self._open() as chat, chat.stream(
                self._messages(prompt, history, content), max_tokens=self.max_tokens,
                temperature=self.temperature) as pieces:
            yield from pieces

    def _open(self) -> Chat:
        key, base_url = self._credentials()
        return Chat(f"{self.provider}:{self.model}", base_url=base_url, key=key)

    def _credentials(self) -> Tuple[Optional[str], Optional[str]]:
        return _settings.credentials(self.key_variable, self.url_variable)

    def _messages(self, prompt: str, history: Sequence[Mapping[str, str]], content: str
                  ) -> List[Dict[str, str]]:
        filled = PROMPT_TEMPLATE[self.template].format(question=prompt, context=content)
        return [*(dict(turn) for turn in history), {"role": "user", "content": filled}]


class GeminiChat(ProviderChat):
    """Google's Gemini: GEMINI_API_KEY, and GEMINI_BASE_URL for another server."""

    provider, key_variable, url_variable = "gemini", "GEMINI_API_KEY", "GEMINI_BASE_URL"

    def __init__(self, path: str = "", model: str = "gemini-2.5-flash") -> None:
        super().__init__(path, model)


class SiliconflowChat(ProviderChat):
    """SiliconFlow: SILICONFLOW_API_KEY, SILICONFLOW_BASE_URL."""

    provider = "siliconflow"
    key_variable, url_variable = "SILICONFLOW_API_KEY", "SILICONFLOW_BASE_URL"

    def __init__(self, path: str = "", model: str = "Qwen/Qwen2.5-7B-Instruct") -> None:
        super().__init__(path, model)


class OpenAIChat(ProviderChat):
    """OpenAI, and servers that speak its protocol: OPENAI_API_KEY, OPENAI_BASE_URL."""

    provider, key_variable, url_variable = "openai", "OPENAI_API_KEY", "OPENAI_BASE_URL"
    max_tokens, temperature = 2048, 0.1

    def __init__(self, path: str = "", model: str = "gpt-3.5-turbo-1106") -> None:
        super().__init__(path, model)


class DashscopeChat(ProviderChat):
    """Alibaba's DashScope (Qwen): DASHSCOPE_API_KEY, DASHSCOPE_BASE_URL."""

    provider, key_variable, url_variable = "dashscope", "DASHSCOPE_API_KEY", "DASHSCOPE_BASE_URL"
    max_tokens, temperature = 2048, 0.1

    def __init__(self, path: str = "", model: str = "qwen-turbo") -> None:
        super().__init__(path, model)


class ZhipuChat(ProviderChat):
    """Zhipu's GLM: ZHIPUAI_API_KEY, ZHIPUAI_BASE_URL."""

    provider, key_variable, url_variable = "zhipu", "ZHIPUAI_API_KEY", "ZHIPUAI_BASE_URL"
    max_tokens, temperature = 4095, 0.7

    def __init__(self, path: str = "", model: str = "glm-4") -> None:
        super().__init__(path, model)


class InternLMChat(ProviderChat):
    """InternLM on a server of one's own that speaks OpenAI's protocol (llama-server, vLLM,
    LMDeploy), at INTERNLM_BASE_URL; INTERNLM_API_KEY if it wants a key. rag runs no language
    models itself.

    Args:
        path: the server's name of the model.
    """

    provider = "openai"
    key_variable, url_variable = "INTERNLM_API_KEY", "INTERNLM_BASE_URL"
    template = "InternLM_PROMPT_TEMPLATE"
    max_tokens, temperature = 2048, 0.1

    def __init__(self, path: str = "", model: str = "") -> None:
        super().__init__(path, model or os.path.basename(path.rstrip("/")) or "internlm")
        self.load_model()

    def load_model(self) -> None:
        """Checks that there is a server to ask."""
        self._credentials()

    def _credentials(self) -> Tuple[Optional[str], Optional[str]]:
        key, base_url = super()._credentials()
        if not base_url:
            raise UsageError(
                "InternLMChat asks a server, for rag runs no language models itself: serve the "
                "model with llama-server, vLLM or LMDeploy, and set INTERNLM_BASE_URL to its "
                "address, such as http://localhost:8080/v1")
        return key or "", base_url  # "" and not OPENAI_API_KEY's key
