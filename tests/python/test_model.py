"""Models, tokenizers, handles: with small random models, without numpy."""

import copy
import math
import os
import pickle
import threading
import time
import warnings

from support import EMBEDDER, RERANKER, Case, main

import rag


def norm(vector):
    return math.sqrt(sum(value * value for value in vector))


class Models(Case):
    @classmethod
    def setUpClass(cls):
        cls.model = rag.Model(EMBEDDER)

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def test_the_info_is_that_of_the_configuration(self):
        info = self.model.info
        self.assertEqual(info.architecture, "xlm-roberta")
        self.assertEqual(info.heads, {"dense", "sparse", "multi"})
        self.assertEqual((info.dimension, info.layers, info.max_tokens), (32, 2, 130))
        self.assertEqual(len(info.identity), 64)

    def test_vectors_have_norm_one_and_do_not_depend_on_each_other(self):
        together = self.model.embed_lists(["one", "two 两", ""])
        self.assertEqual([len(v) for v in together], [32, 32, 32])
        for vector in together:
            self.assertAlmostEqual(norm(vector), 1, places=5)
        self.assertEqual(self.model.embed_lists(["two 两"])[0], together[1])
        self.assertEqual(self.model.embed_lists([]), [])

    def test_all_heads_of_a_text(self):
        one, = self.model.embed_all(["a text"], heads=("dense", "sparse", "multi"))
        self.assertEqual(one.dense.tolist(), self.model.embed_lists(["a text"])[0])
        self.assertTrue(one.dense.readonly and one.dense.format == "f")
        self.assertTrue(one.sparse and all(weight > 0 for weight in one.sparse.values()))
        self.assertEqual(one.multi.shape, (len(one.multi_ids), 32))
        self.assertAlmostEqual(norm(one.multi.tolist()[0]), 1, places=5)
        self.assertEqual((one.tokens, one.windows), (len(self.model.tokenize("a text")), 1))
        dense_only, = self.model.embed_all(["a text"])
        self.assertIsNone(dense_only.sparse)
        self.assertIsNone(dense_only.multi)

    def test_vectors_outlive_the_model_and_the_other_vectors(self):
        model = rag.Model(EMBEDDER)
        kept = model.embed_all(["kept"] * 50)[7].dense
        wanted = kept.tolist()
        model.close()
        del model
        for _ in range(20):
            self.model.embed_lists(["something else"] * 50)
        self.assertEqual(kept.tolist(), wanted)

    def test_a_long_text_is_read_in_windows(self):
        long, = self.model.embed_all(["word " * 300])
        self.assertGreater(long.windows, 1)
        self.assertGreater(long.tokens, 130)

    def test_scores_come_in_the_order_of_the_passages(self):
        with rag.Model(RERANKER) as reranker:
            self.assertEqual(reranker.info.heads, {"logit"})
            both = reranker.rerank("query", ["first", "second"])
            self.assertEqual(reranker.rerank("query", ["second", "first"]), both[::-1])
            self.assertEqual(reranker.rerank("query", []), [])
            with self.assertRaisesRegex(rag.UsageError, "no dense vectors"):
                reranker.embed_lists(["a"])

    def test_bad_arguments_are_told(self):
        for arguments in ({"role": "question"}, {"heads": ()}, {"heads": ("colour",)}):
            with self.assertRaises(rag.UsageError):
                self.model.embed_all(["a"], **arguments)
        with self.assertRaises(TypeError):
            self.model.embed_lists("one text")
        with self.assertRaises(TypeError):
            self.model.embed_lists([1])
        with self.assertRaisesRegex(rag.InputError, "text 1 has a lone surrogate.*character 2"):
            self.model.embed_lists(["fine", "no\ud800"])
        with self.assertRaisesRegex(rag.InputError, "NUL"):
            rag.Model("a\0b")
        with self.assertRaises(rag.UsageError):
            rag.Model(EMBEDDER, precision="f8")

    def test_a_text_may_hold_nul(self):
        self.assertNotEqual(self.model.tokenize("a\0b"), self.model.tokenize("a"))

    def test_a_missing_model_says_how_to_get_it(self):
        with self.assertRaisesRegex(rag.ModelMissingError, "rag model pull") as caught:
            rag.Model("BAAI/bge-m3")
        self.assertEqual(caught.exception.exit_status, 5)

    def test_a_model_can_be_added_and_is_then_listed(self):
        folder = self.folder / "models"
        rag.add(EMBEDDER, "me/mine", models=folder)
        listed = rag.models(folder)
        self.assertEqual([(m.name, m.folder) for m in listed],
                         [("me/mine", str(folder / "me/mine"))])
        self.assertGreater(listed[0].bytes, 100_000)
        with rag.Model("me/mine", models=folder) as model:
            self.assertEqual(model.info.identity, self.model.info.identity)
        with self.assertRaises(rag.Error):
            rag.add(self.folder / "nothing", models=folder)

    def test_a_model_that_cannot_be_downloaded_is_a_network_error(self):
        with self.assertRaises(rag.NetworkError):
            rag.pull("me/mine", hub="http://127.0.0.1:9", models=self.folder, progress=None)


class Tokenizers(Case):
    def test_ids_spans_and_counts(self):
        with rag.Tokenizer(EMBEDDER / "tokenizer.json") as tokenizer:
            text = "héllo 你好 wörld"
            ids, spans = tokenizer.encode(text), tokenizer.spans(text)
            self.assertEqual(len(ids), len(spans))
            self.assertEqual((spans[0], spans[-1]), ((0, 0), (0, 0)))
            self.assertEqual({i for begin, end in spans for i in range(begin, end)}
                             | {i for i, c in enumerate(text) if c == " "}, set(range(len(text))))
            self.assertEqual(tokenizer.count(text), len(ids) - 2)
            self.assertEqual(tokenizer.count(""), 0)

    def test_a_models_tokenizer_is_the_same(self):
        with rag.Model(EMBEDDER) as model, rag.Tokenizer(EMBEDDER) as tokenizer:
            self.assertEqual(model.tokenize("some text"), tokenizer.encode("some text"))
            self.assertEqual(model.count_tokens("some text"), tokenizer.count("some text"))


class Handles(Case):
    def test_a_closed_object_says_so(self):
        with rag.Model(EMBEDDER) as model:
            pass
        model.close()
        for use in (lambda: model.embed_lists(["a"]), lambda: model.tokenize("a"),
                    lambda: model.rerank("a", ["b"])):
            with self.assertRaisesRegex(rag.UsageError, "this Model is closed"):
                use()
        tokenizer = rag.Tokenizer(EMBEDDER)
        tokenizer.close()
        with self.assertRaisesRegex(rag.UsageError, "this Tokenizer is closed"):
            tokenizer.encode("a")

    def test_closing_waits_for_the_calls_of_other_threads(self):
        model = rag.Model(EMBEDDER)
        inside, go_on, done = threading.Event(), threading.Event(), []

        def progress(event):
            inside.set()
            go_on.wait(30)

        def embed():
            done.append(len(model.embed_lists(["some words"] * 300, progress=progress)))

        worker = threading.Thread(target=embed)
        worker.start()
        self.assertTrue(inside.wait(30))
        closer = threading.Thread(target=model.close)
        closer.start()
        time.sleep(0.1)
        self.assertTrue(closer.is_alive())
        with self.assertRaises(rag.UsageError):
            model.embed_lists(["a"])
        go_on.set()
        worker.join(30)
        closer.join(30)
        self.assertEqual(done, [300])

    def test_an_object_cannot_be_closed_from_its_own_callback(self):
        with rag.Model(EMBEDDER) as model:
            with self.assertRaisesRegex(rag.UsageError, "by a call of its own"):
                model.embed_lists(["a"], progress=lambda event: model.close())
            self.assertEqual(len(model.embed_lists(["a"])), 1)

    def test_a_model_may_be_shared_by_threads(self):
        with rag.Model(EMBEDDER) as model:
            wanted = model.embed_lists(["text 3"])
            found = []
            threads = [
                threading.Thread(target=lambda: found.append(model.embed_lists(["text 3"])))
                for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(found, [wanted] * 8)

    def test_a_forked_child_is_told_to_open_its_own(self):
        with rag.Model(EMBEDDER) as model:
            reader, writer = os.pipe()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of fork, beside threads
                child = os.fork()
            if not child:
                try:
                    model.tokenize("a")
                    said = b"nothing"
                except rag.UsageError as error:
                    said = str(error).encode()
                model.close()
                os.write(writer, said)
                os._exit(0)
            os.close(writer)
            with os.fdopen(reader, "rb") as pipe:
                said = pipe.read()
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            self.assertIn(b"before this process was forked", said)
            self.assertTrue(model.tokenize("a"))


class Chunks(Case):
    def test_chunks_of_files_know_where_they_are_from(self):
        docs = self.write_files()
        chunks = list(rag.chunk_paths(docs, tokenizer=EMBEDDER, max_tokens=60))
        self.assertEqual(len({chunk.document for chunk in chunks}), 3)
        water, = (c for c in chunks if "Cucumbers" in c)
        self.assertEqual(water.heading, "Garden > Water")
        self.assertEqual(water.line, 7 if water.startswith("Cucumbers") else 5)
        data = (docs / "garden.md").read_bytes()
        self.assertEqual(data[water.begin:water.end].decode(), water)
        self.assertIsInstance(water, str)
        self.assert_no_threads_left()

    def test_pickles_and_copies_keep_what_a_chunk_knows(self):
        chunk = rag.Chunk("text", document="d", heading="h", number=2, begin=3, end=7, line=4,
                          last_line=5, tokens=6)
        copies = [copy.copy(chunk), copy.deepcopy(chunk)]
        copies += [pickle.loads(pickle.dumps(chunk, p))
                   for p in range(2, pickle.HIGHEST_PROTOCOL + 1)]
        for other in copies:
            self.assertEqual(other, "text")
            self.assertEqual(vars(other), vars(chunk))
            self.assertIs(type(other), rag.Chunk)

    def test_a_file_that_cannot_be_read_is_a_warning_an_error_or_nothing(self):
        docs = self.write_files({"a.txt": "fine"})
        (docs / "b.txt").write_bytes(b"\x80\x81\xff\n" * 9)
        with self.assertWarns(rag.RagWarning) as caught:
            self.assertEqual(list(rag.chunk_paths([docs], tokenizer=EMBEDDER)), ["fine"])
        self.assertEqual(caught.filename, __file__)
        with self.assertRaisesRegex(rag.InputError, "b.txt"):
            list(rag.chunk_paths([docs], tokenizer=EMBEDDER, on_skip="raise"))
        self.assertEqual(
            list(rag.chunk_paths([docs], tokenizer=EMBEDDER, on_skip="ignore")), ["fine"])

    def test_leaving_off_early_stops_the_reading(self):
        docs = self.write_files({f"{i:03}.txt": f"document {i}" for i in range(200)})
        with rag.Model(EMBEDDER) as model:
            chunks = rag.chunk_paths(docs, tokenizer=model)
            self.assertEqual(next(chunks), "document 0")
            chunks.close()
            self.assertEqual(list(chunks), [])
        self.assert_no_threads_left()


if __name__ == "__main__":
    main()
