"""A model's architecture, printed as transformers 4.53 prints the model.

From `config.json` alone: rag computes with its own kernels and has no such modules. The
notebook's `embedding._model` and `reranker._model` are objects of this kind.
"""
from __future__ import annotations

import json
import os
import pathlib
from typing import Dict, List, Tuple, Union

from .errors import ModelError

_ACTIVATIONS = {"gelu": "GELUActivation()", "gelu_new": "NewGELUActivation()",
                "gelu_pytorch_tanh": "PytorchGELUTanh()", "relu": "ReLU()"}
_FAMILIES = {"bert": "Bert", "xlm-roberta": "XLMRoberta"}


class Module:
    """A module of a network: its class and its parts, or a line that says all."""

    def __init__(self, kind: str, *parts: Tuple[str, Union[Module, str]]) -> None:
        self.kind = kind
        self.parts = parts

    def lines(self) -> List[str]:
        """As torch prints it, a part indented by two spaces more than what it is part of."""
        lines = [f"{self.kind}("]
        for name, part in self.parts:
            inner = [part] if isinstance(part, str) else part.lines()
            lines.append(f"  ({name}): {inner[0]}")
            lines += [f"  {line}" for line in inner[1:]]
        lines.append(")")
        return lines


class Architecture:
    """What a model is made of: `print(model)` in the shape that transformers gives it.

    Args:
        folder: of the model, with its `config.json`.
        family: "xlm-roberta" or "bert", as in `ModelInfo.architecture`.
        classifier: whether the model scores pairs (a cross-encoder), so that its head is shown
            instead of the pooler.

    Attributes:
        config: the settings of `config.json`.
    """

    def __init__(self, folder: Union[str, os.PathLike[str]], family: str, *,
                 classifier: bool = False) -> None:
        path = pathlib.Path(folder) / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            parts = _Parts(config, _FAMILIES[family])
            model = parts.classifier() if classifier else parts.base(True)
            self._text = "\n".join(model.lines())
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"{path} does not describe a model: {error!r}") from error
        self.config: Dict[str, object] = config

    def __repr__(self) -> str:
        return self._text


def _number(config: Dict[str, object], name: str, default: Union[int, float, None] = None
            ) -> Union[int, float]:
    value = config.get(name)
    if value is None:
        value = default
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is no number")
    return value


def _linear(inputs: float, outputs: float) -> str:
    return f"Linear(in_features={inputs}, out_features={outputs}, bias=True)"


def _dropout(probability: float) -> str:
    return f"Dropout(p={probability}, inplace=False)"


class _Parts:
    """The modules that a configuration asks for."""

    def __init__(self, config: Dict[str, object], family: str) -> None:
        self.config = config
        self.family = family
        self.hidden = _number(config, "hidden_size")
        self.feed_forward = _number(config, "intermediate_size")
        self.drop = _dropout(_number(config, "hidden_dropout_prob", 0.1))
        eps = _number(config, "layer_norm_eps", 1e-12)
        self.norm = f"LayerNorm(({self.hidden},), eps={eps}, elementwise_affine=True)"

    def embeddings(self) -> Module:
        config, bert = self.config, self.family == "Bert"
        padding = f", padding_idx={_number(config, 'pad_token_id', 0 if bert else 1)}"

        def table(rows: str, default: Union[int, None], padding: str) -> str:
            return f"Embedding({_number(config, rows, default)}, {self.hidden}{padding})"
        return Module(
            f"{self.family}Embeddings",
            ("word_embeddings", table("vocab_size", None, padding)),
            ("position_embeddings",
             table("max_position_embeddings", None, "" if bert else padding)),
            ("token_type_embeddings", table("type_vocab_size", 2, "")),
            ("LayerNorm", self.norm), ("dropout", self.drop))

    def output(self, name: str, inputs: float) -> Module:
        return Module(f"{self.family}{name}", ("dense", _linear(inputs, self.hidden)),
                      ("LayerNorm", self.norm), ("dropout", self.drop))

    def layer(self) -> Module:
        square = _linear(self.hidden, self.hidden)
        activation = str(self.config.get("hidden_act") or "gelu")
        attention = Module(
            f"{self.family}SdpaSelfAttention",
            ("query", square), ("key", square), ("value", square),
            ("dropout", _dropout(_number(self.config, "attention_probs_dropout_prob", 0.1))))
        return Module(
            f"{self.family}Layer",
            ("attention", Module(f"{self.family}Attention", ("self", attention),
                                 ("output", self.output("SelfOutput", self.hidden)))),
            ("intermediate", Module(
                f"{self.family}Intermediate",
                ("dense", _linear(self.hidden, self.feed_forward)),
                ("intermediate_act_fn", _ACTIVATIONS.get(activation, activation)))),
            ("output", self.output("Output", self.feed_forward)))

    def encoder(self) -> Module:
        count, layer = _number(self.config, "num_hidden_layers"), self.layer()
        if count > 1:
            layer.kind = f"{count} x {layer.kind}"
        layers = Module("ModuleList", ("0" if count == 1 else f"0-{count - 1}", layer))
        return Module(f"{self.family}Encoder", ("layer", layers))

    def pooler(self) -> Module:
        return Module(f"{self.family}Pooler", ("dense", _linear(self.hidden, self.hidden)),
                      ("activation", "Tanh()"))

    def base(self, pooled: bool) -> Module:
        pooler = [("pooler", self.pooler())] if pooled else []
        return Module(f"{self.family}Model", ("embeddings", self.embeddings()),
                      ("encoder", self.encoder()), *pooler)

    def classifier(self) -> Module:
        out, drop = _linear(self.hidden, 1), self.drop  # rag takes no others
        if self.config.get("classifier_dropout") is not None:
            drop = _dropout(_number(self.config, "classifier_dropout"))
        name = f"{self.family}ForSequenceClassification"
        if self.family == "Bert":
            return Module(name, ("bert", self.base(True)), ("dropout", drop), ("classifier", out))
        head = Module(f"{self.family}ClassificationHead",
                      ("dense", _linear(self.hidden, self.hidden)), ("dropout", drop),
                      ("out_proj", out))
        return Module(name, ("roberta", self.base(False)), ("classifier", head))

