"""Makes the small random checkpoints of this folder and what they must compute.

Each NAME/ is a model folder as a hub gives it (config.json, weights, sentence-transformers'
files where that kind of model has them); NAME-expected/model.safetensors holds a few
sequences and what Hugging Face transformers computes for them in f32, all as f32 tensors:

    lengths [n], ids [T], types [T]     T = sum of lengths, sequences end to end
    hidden [T, hidden]                  the last hidden state
    pooled [n, hidden]                  CLS or mean, not normalised
    sparse [T], multi [T, hidden]       bge-m3's heads (multi: each row of L2 norm 1)
    logits [n]                          of a sequence-classification head

The outputs are computed from the weights as they are stored (after rounding to f16 or bf16).

Made with Python 3.11, torch 2.15.0, transformers 5.23.0, safetensors 0.8.0, numpy 2.4.6:

    python3 make_models.py [FOLDER]
"""
import json
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
LENGTHS = [1, 2, 3, 7, 16, 17, 31, 33, 60]
# The small unigram tokenizer of tests/data/text, for tests of the chain from text to score.
UNIGRAM = HERE.parent / "text" / "unigram" / "tokenizer.json"


def randomise(model, seed):
    """Weights large enough that each part of a layer leaves its mark on the result."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "LayerNorm.weight" in name:
            value = 1 + 0.3 * noise
        elif name.endswith("bias"):
            value = 0.2 * noise
        elif "embeddings" in name:
            value = 0.3 * noise
        else:
            value = 1.2 * noise / parameter.shape[-1] ** 0.5
        parameter.data.copy_(value)
    return model.eval()


def sequences(config, first, longest, pairs, seed):
    """Sequences of all kinds of length up to the longest, out of order."""
    generator = torch.Generator().manual_seed(seed)
    lengths = [n for n in LENGTHS if n < longest] + [longest]
    lengths = lengths[::2] + lengths[1::2]
    ids = [torch.randint(first, config.vocab_size, (n,), generator=generator) for n in lengths]
    types = [torch.zeros(n, dtype=torch.long) for n in lengths]
    if pairs:
        for t in types:
            t[len(t) // 2 :] = 1
    return ids, types


def run(model, ids, types):
    """The last hidden state and, if there is a head for them, the logits, one by one."""
    hidden, logits = [], []
    with torch.no_grad():
        for sequence, t in zip(ids, types):
            out = model(
                input_ids=sequence[None], token_type_ids=t[None], output_hidden_states=True
            )
            hidden.append(out.hidden_states[-1][0])
            if "logits" in out:
                logits.append(out.logits[0, 0])
    return hidden, logits


def write_expected(name, ids, types, hidden, pooling, logits=(), **more):
    pool = (lambda h: h[0]) if pooling == "cls" else (lambda h: h.mean(0))
    tensors = {
        "lengths": torch.tensor([len(s) for s in ids]),
        "ids": torch.cat(ids),
        "types": torch.cat(types),
        "hidden": torch.cat(hidden),
        "pooled": torch.stack([pool(h) for h in hidden]),
    }
    if logits:
        tensors["logits"] = torch.stack(list(logits))
    tensors.update(more)
    folder = FOLDER / f"{name}-expected"
    folder.mkdir(parents=True)
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, folder / "model.safetensors")


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_sentence_transformer(folder, hidden, pooling, longest):
    """What sentence-transformers puts beside a model: pooling, then L2."""
    kinds = ["Transformer", "Pooling", "Normalize"]
    write_json(
        folder / "modules.json",
        [
            {
                "idx": i,
                "name": str(i),
                "path": "" if i == 0 else f"{i}_{kind}",
                "type": f"sentence_transformers.models.{kind}",
            }
            for i, kind in enumerate(kinds)
        ],
    )
    write_json(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": hidden,
            "pooling_mode_cls_token": pooling == "cls",
            "pooling_mode_mean_tokens": pooling == "mean",
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )
    write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": longest, "do_lower_case": False},
    )


def write_config(folder, model, dtype="float32"):
    folder.mkdir(parents=True)
    config = model.config
    config.architectures = [type(model).__name__]
    values = config.to_dict()
    values["dtype"] = dtype
    write_json(folder / "config.json", values)


def state(model, dtype=torch.float32):
    return {k: v.detach().to(dtype).contiguous() for k, v in model.state_dict().items()}


def reload(model, tensors):
    """The model with its weights rounded as they are stored."""
    model.load_state_dict({k: v.float() for k, v in tensors.items()})
    return model


def xlmr_config(longest, **more):
    settings = dict(
        vocab_size=600,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=longest + 2,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    return XLMRobertaConfig(**{**settings, **more})


def bert_config(**more):
    settings = dict(
        vocab_size=300,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=100,
        max_position_embeddings=64,
        type_vocab_size=2,
        layer_norm_eps=1e-12,
        pad_token_id=0,
    )
    return BertConfig(**{**settings, **more})


def vocabulary():
    """Of the tokenizer that is put beside the model, if it is there."""
    if not UNIGRAM.exists():
        return 600
    tokenizer = json.loads(UNIGRAM.read_text())
    added = [token["id"] + 1 for token in tokenizer["added_tokens"]]
    return max(len(tokenizer["model"]["vocab"]), *added)


def xlmr_mean():
    """As multilingual-e5: mean pooling, one safetensors file in f32."""
    folder = FOLDER / "xlmr-mean"
    config = xlmr_config(200, num_hidden_layers=3)
    model = randomise(XLMRobertaModel(config, add_pooling_layer=False), 1)
    write_config(folder, model)
    save_file(state(model), folder / "model.safetensors", metadata={"format": "pt"})
    write_sentence_transformer(folder, config.hidden_size, "mean", 200)
    ids, types = sequences(config, 4, 200, False, 11)
    hidden, _ = run(model, ids, types)
    write_expected("xlmr-mean", ids, types, hidden, "mean")


def bge_m3_like():
    """As BAAI/bge-m3: pytorch_model.bin with the two linear layers beside it."""
    folder = FOLDER / "bge-m3-like"
    config = xlmr_config(130, vocab_size=vocabulary(), num_attention_heads=2)
    model = randomise(XLMRobertaModel(config), 2)
    write_config(folder, model)
    tensors = state(model)
    tensors["embeddings.position_ids"] = torch.arange(132)[None]
    torch.save(tensors, folder / "pytorch_model.bin")
    heads = {}
    for seed, (name, size) in enumerate([("sparse", 1), ("colbert", config.hidden_size)]):
        heads[name] = randomise(torch.nn.Linear(config.hidden_size, size), 20 + seed)
        torch.save(heads[name].state_dict(), folder / f"{name}_linear.pt")
    write_sentence_transformer(folder, config.hidden_size, "cls", 130)
    if UNIGRAM.exists():
        shutil.copy(UNIGRAM, folder / "tokenizer.json")
    ids, types = sequences(config, 4, 130, False, 12)
    hidden, _ = run(model, ids, types)
    h = torch.cat(hidden)
    with torch.no_grad():
        sparse = torch.relu(heads["sparse"](h))[:, 0]
        multi = torch.nn.functional.normalize(heads["colbert"](h), dim=-1)
    write_expected("bge-m3-like", ids, types, hidden, "cls", sparse=sparse, multi=multi)


def xlmr_reranker():
    """As bge-reranker: a classification head with one label."""
    folder = FOLDER / "xlmr-reranker"
    config = xlmr_config(64, vocab_size=vocabulary(), num_labels=1)
    model = randomise(XLMRobertaForSequenceClassification(config), 3)
    write_config(folder, model)
    save_file(state(model), folder / "model.safetensors", metadata={"format": "pt"})
    if UNIGRAM.exists():
        shutil.copy(UNIGRAM, folder / "tokenizer.json")
    ids, types = sequences(config, 4, 64, False, 13)
    hidden, logits = run(model, ids, types)
    write_expected("xlmr-reranker", ids, types, hidden, "cls", logits)


def bert_cls():
    """As bge-small: CLS pooling, a pooler that is not used, f16."""
    folder = FOLDER / "bert-cls"
    config = bert_config()
    model = randomise(BertModel(config), 4)
    write_config(folder, model, "float16")
    tensors = state(model, torch.float16)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_sentence_transformer(folder, config.hidden_size, "cls", 64)
    ids, types = sequences(config, 1, 64, False, 14)
    hidden, _ = run(reload(model, tensors), ids, types)
    write_expected("bert-cls", ids, types, hidden, "cls")


def bert_mean_sharded():
    """Mean pooling, bf16 in two shards with an index."""
    folder = FOLDER / "bert-mean-sharded"
    config = bert_config(num_hidden_layers=3, hidden_act="relu")
    model = randomise(BertModel(config, add_pooling_layer=False), 5)
    write_config(folder, model, "bfloat16")
    tensors = state(model, torch.bfloat16)
    names = sorted(tensors)
    index = {"metadata": {"total_size": sum(2 * t.numel() for t in tensors.values())}}
    index["weight_map"] = {}
    for i, part in enumerate([names[: len(names) // 2], names[len(names) // 2 :]]):
        file = f"model-0000{i + 1}-of-00002.safetensors"
        save_file({n: tensors[n] for n in part}, folder / file, metadata={"format": "pt"})
        index["weight_map"].update({n: file for n in part})
    write_json(folder / "model.safetensors.index.json", index)
    write_sentence_transformer(folder, config.hidden_size, "mean", 64)
    ids, types = sequences(config, 1, 64, False, 15)
    hidden, _ = run(reload(model, tensors), ids, types)
    write_expected("bert-mean-sharded", ids, types, hidden, "mean")


def bert_reranker():
    """As the BERT cross-encoders: pooler, then a classifier with one label."""
    folder = FOLDER / "bert-reranker"
    config = bert_config(num_labels=1, hidden_size=32, hidden_act="gelu_new")
    model = randomise(BertForSequenceClassification(config), 6)
    write_config(folder, model)
    save_file(state(model), folder / "model.safetensors", metadata={"format": "pt"})
    ids, types = sequences(config, 1, 64, True, 16)
    hidden, logits = run(model, ids, types)
    write_expected("bert-reranker", ids, types, hidden, "cls", logits)


MODELS = [xlmr_mean, bge_m3_like, xlmr_reranker, bert_cls, bert_mean_sharded, bert_reranker]

if __name__ == "__main__":
    torch.set_num_threads(1)
    for make in MODELS:
        name = make.__name__.replace("_", "-")
        for folder in (name, f"{name}-expected"):
            shutil.rmtree(FOLDER / folder, ignore_errors=True)
        make()
