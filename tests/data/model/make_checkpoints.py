#!/usr/bin/env python3
"""Makes the small checkpoints beside this file, each in every format that rag reads.

Made with Python 3.11, torch 2.15.0, safetensors 0.8.0, numpy 2:  python3 make_checkpoints.py

Element i of tensor t (in the order of SHAPES) is ((7 i + 3 t) mod 33 - 16) / 8, which f16 and
bf16 hold exactly; the tests compute the same. Folders:

  f32, f16, bf16           model.safetensors, with the prefix "bert." and old LayerNorm names
  sharded                  two safetensors and their index
  torch-f32, -f16, -bf16   pytorch_model.bin, with the prefix "roberta."
  torch-sharded            two .bin files and their index
  torch-parameter          tensors saved as torch.nn.Parameter
  torch-protocol-4         a pickle of protocol 4 (frames, memoize, stack_global)
  torch-tied               two names for one storage, and a view into its middle
  torch-transposed         a tensor that is not contiguous: to be refused
  torch-legacy             the format before torch 1.6: to be refused
  torch-system             a pickle that would call os.system: to be refused
  torch-nested             a dict in the dict: to be refused
  torch-compressed         a zip with deflated entries: to be refused
  heads                    model.safetensors, and bge-m3's two linear heads as .pt
"""
import collections
import json
import os
import pathlib
import zipfile

import safetensors.torch
import torch

HERE = pathlib.Path(__file__).resolve().parent
SHAPES = {
    "embeddings.word_embeddings.weight": (8, 4),
    "embeddings.LayerNorm.weight": (4,),
    "embeddings.LayerNorm.bias": (4,),
    "encoder.layer.0.attention.self.query.weight": (4, 4),
    "classifier.weight": (1, 4),
    "logit_scale": (),
}
TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def values(t, shape):
    count = torch.Size(shape).numel()
    flat = torch.tensor([((7 * i + 3 * t) % 33 - 16) / 8 for i in range(count)])
    return flat.reshape(shape)


def state_dict(prefix="", dtype=torch.float32, old_names=False):
    tensors = collections.OrderedDict()
    for t, (name, shape) in enumerate(SHAPES.items()):
        if old_names:
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
            name = name.replace("LayerNorm.bias", "LayerNorm.beta")
        inner = name.startswith(("embeddings.", "encoder."))
        tensors[(prefix if inner else "") + name] = values(t, shape).to(dtype)
    tensors[prefix + "embeddings.position_ids"] = torch.arange(8).reshape(1, 8)
    return tensors


def folder(name):
    path = HERE / name
    path.mkdir(exist_ok=True)
    return path


def save_torch(name, tensors, **options):
    torch.save(tensors, folder(name) / "pytorch_model.bin", **options)


def split(tensors):
    names = list(tensors)
    return ({n: tensors[n] for n in part} for part in (names[:3], names[3:]))


def save_shards(name, stem, suffix, save):
    where, index = folder(name), {}
    for i, part in enumerate(split(state_dict()), start=1):
        file = f"{stem}-{i:05}-of-00002{suffix}"
        save(part, where / file)
        index.update({tensor: file for tensor in part})
    text = json.dumps({"metadata": {}, "weight_map": index}, indent=1)
    (where / f"{stem}{suffix}.index.json").write_text(text + "\n")


class System:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


def main():
    for name, dtype in TYPES.items():
        safetensors.torch.save_file(state_dict("bert.", dtype, old_names=True),
                                    folder(name) / "model.safetensors")
        save_torch(f"torch-{name}", state_dict("roberta.", dtype))
    save_shards("sharded", "model", ".safetensors", safetensors.torch.save_file)
    save_shards("torch-sharded", "pytorch_model", ".bin", torch.save)
    save_torch("torch-parameter", collections.OrderedDict(
        (n, torch.nn.Parameter(t, requires_grad=False)) for n, t in state_dict().items()))
    save_torch("torch-protocol-4", state_dict(), pickle_protocol=4)
    word = state_dict()["embeddings.word_embeddings.weight"]
    save_torch("torch-tied", {"embeddings.word_embeddings.weight": word, "tied.weight": word,
                              "middle.weight": word[2:5]})
    save_torch("torch-transposed", {"a.weight": word.t()})
    save_torch("torch-legacy", state_dict(), _use_new_zipfile_serialization=False)
    save_torch("torch-system", {"a.weight": word, "b": System()})
    save_torch("torch-nested", {"state_dict": {"a.weight": word}})
    with zipfile.ZipFile(HERE / "torch-f32" / "pytorch_model.bin") as source, zipfile.ZipFile(
            folder("torch-compressed") / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as out:
        for entry in source.namelist():
            out.writestr(zipfile.ZipInfo(entry), source.read(entry), zipfile.ZIP_DEFLATED)
    safetensors.torch.save_file(state_dict(), folder("heads") / "model.safetensors")
    for head, rows in (("sparse_linear", 1), ("colbert_linear", 4)):
        torch.save(collections.OrderedDict(weight=values(0, (rows, 4)), bias=values(1, (rows,))),
                   HERE / "heads" / f"{head}.pt")


if __name__ == "__main__":
    main()
