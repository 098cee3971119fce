#!/usr/bin/env python3
"""Prints models as transformers does, for test_notebook_names.py: what `print(model)` shows of
each configuration in architecture/, into the file of the same name with .txt.

    python3 -m venv env
    env/bin/pip install transformers==4.53.2 torch==2.7.1 numpy==2.3.1
    env/bin/python make_architectures.py

bge-m3.json and bge-reranker-base.json have the values that the models' hub pages publish;
multilingual-e5-small.json is the default model's; the rest are variations: one layer,
other activations and dropouts. No weights are needed: the modules are made without memory.
"""
import json
import pathlib

import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent / "architecture"

for path in sorted(HERE.glob("*.json")):
    settings = json.loads(path.read_text(encoding="utf-8"))
    config = transformers.AutoConfig.for_model(**settings)
    kind = (transformers.AutoModelForSequenceClassification
            if settings["architectures"][0].endswith("ForSequenceClassification")
            else transformers.AutoModel)
    with torch.device("meta"):
        model = kind.from_config(config)
    path.with_suffix(".txt").write_text(f"{model}\n", encoding="utf-8")
    print(path.stem)
