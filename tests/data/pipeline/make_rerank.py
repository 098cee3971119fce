#!/usr/bin/env python3
"""Makes pairs.jsonl: what a cross-encoder says about pairs of texts.

{"query", "passage", "tokens", "logit"} a line, by Hugging Face transformers with the model
and the tokenizer of ../encoder/xlmr-reranker, in f32, pair by pair; pairs of more than 64
tokens are cut longest first.

Made with Python 3.11, torch 2.15.0, transformers 5.23.0:

    python3 make_rerank.py
"""
import json
import pathlib

import torch
from transformers import PreTrainedTokenizerFast, XLMRobertaForSequenceClassification

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "encoder" / "xlmr-reranker"
MAX_TOKENS = 64

QUERIES = [
    "which river is small?",
    "问题：河流 在 山",
    "the " * 50,
    "",
]
PASSAGES = [
    "the small river reads the stone",
    "the river, the stone: and a question.",
    "河流 注意力 机制 检索 文档 向量",
    "naïve café \U0001f600 <mask> HTTPServer",
    "",
    "a chunk of the file is a passage " * 12,
    "文档 检索 " * 40,
]


def main():
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(MODEL / "tokenizer.json"))
    model = XLMRobertaForSequenceClassification.from_pretrained(MODEL).eval()
    with open(HERE / "pairs.jsonl", "w", encoding="utf-8") as out, torch.no_grad():
        for query in QUERIES:
            for passage in PASSAGES:
                # As lists: an empty passage outside a list would be taken for none.
                inputs = tokenizer([query], [passage], truncation="longest_first",
                                   max_length=MAX_TOKENS, return_tensors="pt",
                                   return_token_type_ids=False)
                logit = model(**inputs).logits[0, 0].item()
                line = {"query": query, "passage": passage,
                        "tokens": inputs["input_ids"].shape[1], "logit": logit}
                out.write(json.dumps(line, ensure_ascii=False) + "\n")


main()
