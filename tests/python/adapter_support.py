"""What the tests of the adapters share: fixtures with the small models. Needs pytest."""

import json
import shutil
import sys

from support import EMBEDDER

import pytest
import rag

WORDS = ["oven", "garden", "tomato", "water", "evening", "deadline", "project", "frost"]


@pytest.fixture(scope="module")
def model():
    with rag.Model(EMBEDDER) as opened:
        yield opened


@pytest.fixture
def prompted(tmp_path):
    """A model with a prefix for queries and one for passages."""
    folder = tmp_path / "prompted"
    shutil.copytree(EMBEDDER, folder)
    prompts = {"prompts": {"query": "water ", "passage": "garden "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    with rag.Model(folder) as opened:
        yield opened


def main(path):
    sys.exit(pytest.main([path, "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto",
                          "-o", "asyncio_default_fixture_loop_scope=function"]))
