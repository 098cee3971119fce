"""The notebook's names: readers, local embeddings and rerankers.

Runs with RAG_LIBRARY and PYTHONPATH set to what is tested. Models: those with random weights in
tests/data/encoder.
"""
import json
import math
import os
import shutil
import unittest
import warnings

import rag
from rag._architecture import Architecture
from rag.embeddings import BaseEmbeddings, BgeEmbedding, JinaEmbedding
from rag.reranker import BgeReranker
from rag.utils import Documents, ReadFiles
from notebook_support import DATA, EMBEDDER, RERANKER, Case


class ReadFilesTest(Case):
    def setUp(self):
        super().setUp()
        words = " ".join(f"word{i}" for i in range(300))
        self.write("data/b.md", f"# Garden\n\nTomatoes in May.\n\n## Water\n\n{words}\n")
        self.write("data/a.txt", "Short text.\n")
        self.write("data/sub/c.md", "# 厨房\n\n烤箱需要预热十分钟。\n")

    def test_chunks_are_strings_in_order_of_path_that_know_where_they_come_from(self):
        docs = ReadFiles("../data").get_content(max_token_len=100, cover_content=20)
        self.assertTrue(all(isinstance(doc, str) and isinstance(doc, rag.Chunk) for doc in docs))
        names = [os.path.basename(doc.document) for doc in docs]
        self.assertEqual(names, sorted(names))
        self.assertEqual(names[0], "a.txt")
        self.assertEqual(names[-1], "c.md")
        self.assertGreater(names.count("b.md"), 3)
        self.assertEqual((docs[0].line, docs[0].last_line), (1, 1))
        self.assertEqual(docs[-1].heading, "厨房")

    def test_tokens_are_those_of_the_configured_embedding_model(self):
        docs = ReadFiles(self.folder / "data").get_content(max_token_len=60, cover_content=10)
        with rag.Tokenizer(str(EMBEDDER)) as tokenizer:
            counts = [len(tokenizer.encode(doc)) for doc in docs if doc.document.endswith("b.md")]
        self.assertGreater(len(counts), 5)
        # Cut out of its surroundings a window may begin with a token more.
        self.assertTrue(all(55 <= count <= 66 for count in counts), counts)
        self.assertTrue(all(doc.tokens <= 60 for doc in docs))

    def test_a_file_is_read_as_a_folder_of_one(self):
        docs = ReadFiles(str(self.folder / "data" / "a.txt")).get_content()
        self.assertEqual([doc.strip() for doc in docs], ["Short text."])

    def test_a_missing_path_is_an_error_that_names_it(self):
        with self.assertRaises(rag.InputError) as caught:
            ReadFiles("../nothing")
        self.assertIsInstance(caught.exception, FileNotFoundError)
        self.assertIn("../nothing", str(caught.exception))

    def test_a_window_of_nothing_is_refused(self):
        for size, cover in ((0, 0), (-5, 0), (2**64 + 600, 150)):
            with self.assertRaises(rag.UsageError):
                ReadFiles("../data").get_content(max_token_len=size, cover_content=cover)

    def test_an_overlap_that_a_window_cannot_have_is_the_nearest_that_it_can(self):
        for cover, nearest in ((100, 39), (40, 39), (-1, 0)):
            with self.assertWarns(rag.RagWarning) as caught:
                docs = ReadFiles.get_chunk("one two three four " * 20, 40, cover)
            self.assertIn(f"taken as {nearest}", str(caught.warning))
            self.assertEqual(docs, ReadFiles.get_chunk("one two three four " * 20, 40, nearest))

    def test_one_text_is_cut_as_a_file_is(self):
        text = (self.folder / "data/a.txt").read_text() * 100
        path = self.write("one.txt", text)
        self.assertEqual(ReadFiles.get_chunk(text, 50, 10), ReadFiles(path).get_content(50, 10))
        self.assertEqual(ReadFiles.get_chunk(""), [])
        with self.assertRaisesRegex(rag.InputError, "surrogate"):
            ReadFiles.get_chunk("\ud800")

    def test_documents_are_read_from_json(self):
        path = self.write("docs.json", '["一", {"two": 2}]')
        self.assertEqual(Documents(path).get_content(), ["一", {"two": 2}])
        with self.assertRaisesRegex(rag.InputError, "docs2.json") as caught:
            Documents("docs2.json").get_content()
        self.assertIsInstance(caught.exception, FileNotFoundError)
        with self.assertRaisesRegex(rag.InputError, "not JSON"):
            Documents(self.write("bad.json", "{")).get_content()
        with self.assertRaisesRegex(rag.InputError, "can't be read"):
            Documents(self.folder).get_content()


class LocalModelTest(Case):
    def test_a_vector_is_a_list_of_floats_of_norm_1(self):
        vector = BgeEmbedding().get_embedding("缩放点积注意力的原理？")
        self.assertIs(type(vector), list)
        self.assertTrue(all(type(value) is float for value in vector))
        self.assertEqual(len(vector), 32)
        self.assertAlmostEqual(math.hypot(*vector), 1, places=5)

    def test_many_texts_get_the_vectors_of_one_at_a_time(self):
        embedding, texts = BgeEmbedding(), ["tea", "garden", "", "tea"]
        done = []
        vectors = embedding.get_embeddings(texts, done.append)
        self.assertEqual(vectors, [embedding.get_embedding(text) for text in texts])
        self.assertEqual((done[-1], done), (4, sorted(done)))
        self.assertEqual(done.count(4), 1)

    def test_a_long_text_is_embedded_whole_with_one_warning(self):
        embedding = BgeEmbedding()
        long = " ".join(f"word{i}" for i in range(400))
        with self.assertWarnsRegex(rag.RagWarning, "130 tokens.*windows"):
            first = embedding.get_embedding(long)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertNotEqual(first, embedding.get_embedding(long + " end"))

    def test_another_device_warns_once_and_the_work_goes_on(self):
        with self.assertWarnsRegex(rag.RagWarning, "mps"):
            embedding = BgeEmbedding(device="mps")
        self.assertEqual(len(embedding.get_embedding("tea")), 32)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            BgeEmbedding(device="mps")
            BgeEmbedding(device="cpu")
        with self.assertWarnsRegex(rag.RagWarning, "cuda:0"):
            BgeReranker(device="cuda:0")

    def test_without_setting_and_weights_the_error_says_what_would_do(self):
        shutil.copytree(EMBEDDER, self.folder / "models/someone/small-model")
        for name in ("RAG_EMBEDDING_MODEL", "RAG_RERANKER_MODEL"):
            del os.environ[name]
        for make, words in ((BgeEmbedding, ("BAAI/bge-m3", "RAG_EMBEDDING_MODEL")),
                            (BgeReranker, ("BAAI/bge-reranker-base", "RAG_RERANKER_MODEL",
                                           "late-interaction")),
                            (ReadFiles(".").get_content, ("BAAI/bge-m3",))):
            with self.assertRaises(rag.ModelMissingError) as caught:
                make()
            for word in (*words, f"rag model pull {words[0]}", "someone/small-model"):
                self.assertIn(word, str(caught.exception))
        self.assertIsInstance(BgeEmbedding("someone/small-model").get_embedding("tea"), list)

    def test_a_model_that_the_code_names_is_not_replaced(self):
        os.environ["RAG_EMBEDDING_MODEL"] = "some/other"
        self.assertEqual(BgeEmbedding(str(EMBEDDER)).model.info.folder, str(EMBEDDER))
        with self.assertRaises(rag.ModelMissingError):
            JinaEmbedding()

    def test_an_embedding_of_a_server_is_not_this_class(self):
        with self.assertRaisesRegex(rag.UsageError, "BgeWithAPIEmbedding"):
            BgeEmbedding(is_api=True)

    def test_cosine_similarity_is_of_any_norm(self):
        self.assertAlmostEqual(BaseEmbeddings.cosine_similarity([3, 3], [0, 2]), math.sqrt(0.5))
        self.assertEqual(BgeEmbedding.cosine_similarity([0, 0], [0, 2]), 0)
        with self.assertRaises(rag.UsageError):
            BaseEmbeddings.cosine_similarity([1], [1, 2])


class ArchitectureTest(Case):
    def test_models_print_as_transformers_prints_them(self):
        references = sorted((DATA / "python/architecture").glob("*.json"))
        self.assertGreater(len(references), 4)
        for path in references:
            config = json.loads(path.read_text())
            self.write(f"{path.stem}/config.json", path.read_text())
            shown = Architecture(self.folder / path.stem, config["model_type"],
                                 classifier="Sequence" in config["architectures"][0])
            self.assertEqual(f"{shown!r}\n", path.with_suffix(".txt").read_text(), path.stem)

    def test_embedding_and_reranker_show_their_own(self):
        self.assertRegex(repr(BgeEmbedding()._model),
                         r"^XLMRobertaModel\(\n  \(embeddings\)[\s\S]*Embedding\(602, 32, "
                         r"padding_idx=1\)[\s\S]*\(0-1\): 2 x XLMRobertaLayer[\s\S]*"
                         r"\(pooler\): XLMRobertaPooler")
        self.assertRegex(repr(BgeReranker()._model),
                         r"^XLMRobertaForSequenceClassification\(\n  \(roberta\)[\s\S]*"
                         r"\(out_proj\): Linear\(in_features=32, out_features=1, bias=True\)")
        os.environ["RAG_RERANKER_MODEL"] = "late-interaction"
        self.assertEqual(repr(BgeReranker()._model), repr(BgeEmbedding()._model))

    def test_a_configuration_that_says_nothing_is_an_error(self):
        for text in ("[]", "{", '{"hidden_size": "1"}', "[" * 100000):
            self.write("bad/config.json", text)
            with self.assertRaisesRegex(rag.ModelError, "config.json"):
                Architecture(self.folder / "bad", "bert")


class RerankerTest(Case):
    TEXTS = ["green tea", "the garden in May", "烤箱", "tea"]

    def test_the_best_come_first_by_the_models_scores(self):
        for setting, model in ((str(RERANKER), RERANKER), ("late-interaction", EMBEDDER)):
            os.environ["RAG_RERANKER_MODEL"] = setting
            with rag.Model(str(model)) as direct:
                scores = direct.rerank("tea", self.TEXTS)
            wanted = [self.TEXTS[i] for i in sorted(range(4), key=lambda i: -scores[i])]
            self.assertEqual(BgeReranker().rerank("tea", self.TEXTS, 4), wanted)
            self.assertEqual(BgeReranker().rerank("tea", self.TEXTS, k=2), wanted[:2])

    def test_k_means_what_it_says(self):
        reranker = BgeReranker()
        self.assertEqual(reranker.rerank("tea", self.TEXTS, 0), [])
        self.assertEqual(reranker.rerank("tea", [], 3), [])
        self.assertCountEqual(reranker.rerank("tea", self.TEXTS, 99), self.TEXTS)
        with self.assertRaises(rag.UsageError):
            reranker.rerank("tea", self.TEXTS, -1)

    def test_the_passages_themselves_come_back(self):
        chunk = rag.Chunk("tea", document="a.md", line=3, last_line=4)
        self.assertIs(BgeReranker().rerank("tea", [chunk], 1)[0], chunk)

    def test_a_cross_encoder_says_once_that_it_did_not_read_all(self):
        reranker, long = BgeReranker(), "tea " * 200
        with self.assertWarnsRegex(rag.RagWarning, "1 of 2 passages"):
            reranker.rerank("tea", [long, "tea"], 1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            reranker.rerank("tea", [long, "tea"], 1)


if __name__ == "__main__":
    unittest.main()
