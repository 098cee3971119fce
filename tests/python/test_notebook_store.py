"""The notebook's VectorStore: what it finds, what it writes, and what it refuses to mix.

Runs with RAG_LIBRARY and PYTHONPATH set to what is tested.
"""
import contextlib
import io
import json
import math
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import unittest
import warnings
from unittest import mock

import rag
from rag import _persisted
from rag.embeddings import BaseEmbeddings, BgeEmbedding
from rag.utils import ReadFiles
from rag.vector_base import VectorStore

from notebook_support import EMBEDDER, Case

VECTORS = {"east": [1.0, 0.0], "north": [0.0, 2.0], "north-east": [3.0, 3.0],
           "west": [-1.0, 0.0]}


class Lookup(BaseEmbeddings):
    """An embedding of the user's: vectors by hand, and what it was asked."""

    def __init__(self, path="lookup", vectors=VECTORS):
        super().__init__(path, False)
        self.vectors, self.asked = vectors, []

    def get_embedding(self, text):
        self.asked.append(str(text))
        return list(self.vectors[text])


def filled(texts=tuple(VECTORS), embedding=None):
    """A store with vectors, and nothing shown."""
    store = VectorStore(list(texts))
    with contextlib.redirect_stderr(io.StringIO()):
        store.get_vector(embedding or Lookup())
    return store


def loaded(*arguments, **named):
    store = VectorStore()
    store.load_vector(*arguments, **named)
    return store


class QueryTest(Case):
    def test_the_nearest_come_first(self):
        store = filled()
        self.assertEqual(store.query("east", Lookup(), k=4),
                         ["east", "north-east", "north", "west"])
        self.assertEqual(store.query("north", EmbeddingModel=Lookup()), ["north"])

    def test_k_means_what_it_says(self):
        store = filled()
        self.assertEqual(store.query("east", Lookup(), k=0), [])
        self.assertCountEqual(store.query("east", Lookup(), k=99), VECTORS)
        with self.assertRaises(rag.UsageError):
            store.query("east", Lookup(), k=-1)

    def test_duplicates_and_empty_stores_are_no_trouble(self):
        self.assertEqual(filled(["west", "east", "east"]).query("east", Lookup(), k=2),
                         ["east", "east"])
        self.assertEqual(VectorStore().query("east", Lookup()), [])
        self.assertEqual(VectorStore([]).query("east", Lookup()), [])

    def test_similarity_is_the_cosine(self):
        self.assertAlmostEqual(VectorStore().get_similarity([3, 3], [0, 2]), math.sqrt(0.5))
        self.assertEqual(VectorStore().get_similarity([0, 0], [0, 2]), 0)

    def test_new_vectors_are_searched(self):
        store = filled()
        store.query("east", Lookup())
        store.vectors = [VECTORS[name] for name in ("west", "north", "north", "east")]
        self.assertEqual(store.query("east", Lookup()), ["west"])
        store.vectors = store.vectors[:2]
        with self.assertRaisesRegex(rag.UsageError, "2 vectors for 4 documents"):
            store.query("east", Lookup())

    def test_an_embedding_of_the_users_is_asked_once_a_document(self):
        embedding = Lookup()
        with contextlib.redirect_stderr(io.StringIO()) as shown:
            vectors = VectorStore(["west", "east", "east"]).get_vector(embedding)
        self.assertEqual(embedding.asked, ["west", "east", "east"])
        self.assertEqual(vectors, [VECTORS[name] for name in embedding.asked])
        self.assertRegex(shown.getvalue().splitlines()[-1],
                         r"^Calculating embeddings: 100%\|█{10}\| 3/3 \[\d\d:\d\d<\d\d:\d\d, "
                         r" *[\d.]+(it/s|s/it)\]$")

    def test_a_warning_does_not_run_into_the_bar(self):
        store = VectorStore(["word " * 300, "tea"])
        with contextlib.redirect_stderr(io.StringIO()) as shown, warnings.catch_warnings():
            warnings.simplefilter("always")
            store.get_vector(BgeEmbedding())
        lines = shown.getvalue().splitlines()
        self.assertRegex(lines[0], r"^Calculating embeddings: 100%.*\]$")
        self.assertRegex(lines[1], "RagWarning: 1 of 2 texts are longer")

    def test_any_object_with_get_embedding_will_do(self):
        class Plain:
            def get_embedding(self, text):
                return VECTORS[text]
        store = filled(embedding=Plain())
        self.assertEqual(store.query("west", Plain()), ["west"])

    def test_a_class_of_the_users_may_change_what_a_model_is_given(self):
        class Instructed(BgeEmbedding):
            def get_embedding(self, text):
                return super().get_embedding("Represent this: " + text)
        embedding = Instructed()
        store = filled(["tea"], embedding)
        self.assertEqual(store.vectors, [embedding.get_embedding("tea")])


class MismatchTest(Case):
    def other_model(self):
        """As EMBEDDER, but pooled otherwise."""
        folder = self.folder / "other"
        shutil.copytree(EMBEDDER, folder)
        pooling = folder / "1_Pooling" / "config.json"
        settings = json.loads(pooling.read_text())
        settings.update(pooling_mode_cls_token=False, pooling_mode_mean_tokens=True)
        pooling.write_text(json.dumps(settings))
        return BgeEmbedding(str(folder))

    def test_a_question_by_another_model_is_refused_with_what_to_do(self):
        store = filled(["tea", "garden"], BgeEmbedding())
        store.persist(file="tea")
        for each in (store, loaded("storage", "tea")):
            self.assertEqual(each.query("tea", BgeEmbedding()), ["tea"])
            for other in (self.other_model() if each is store else BgeEmbedding(
                    str(self.folder / "other")), Lookup()):
                with self.assertRaisesRegex(rag.MismatchError, "get_vector"):
                    each.query("tea", other)

    def test_other_embeddings_are_told_apart_by_their_names(self):
        filled().persist(file="named")
        store = loaded("storage", "named")
        self.assertEqual(store.query("east", Lookup()), ["east"])
        with self.assertRaisesRegex(rag.MismatchError, "Lookup:lookup.*Lookup:new"):
            store.query("east", Lookup("new"))

    def test_another_dimension_is_refused_where_the_model_is_not_known(self):
        self.write("work/storage/old_doc.json", '["east"]')
        self.write("work/storage/old_vec.json", "[[1, 0, 0]]")
        with self.assertRaisesRegex(rag.MismatchError, "2 numbers.*3"):
            loaded("storage", "old").query("east", Lookup())


class PersistTest(Case):
    def chunks(self):
        self.write("data/b.md", "# Garden\n\nTomatoes in May.\n\n## Water\n\n" + "word " * 150)
        self.write("data/a.txt", "Short text.\n")
        return ReadFiles("../data").get_content(max_token_len=40, cover_content=10)

    def assert_same(self, loaded_texts, texts):
        self.assertEqual(loaded_texts, texts)
        for got, wanted in zip(loaded_texts, texts):
            self.assertIsInstance(got, rag.Chunk)
            if isinstance(wanted, rag.Chunk):
                self.assertEqual({name: getattr(got, name) for name in FIELDS},
                                 {name: getattr(wanted, name) for name in FIELDS})

    def test_chunks_come_back_as_they_were(self):
        texts = self.chunks()
        self.assertGreater(len(texts), 5)
        store = filled(texts, BgeEmbedding())
        store.persist("kept/deep", "garden")
        back = loaded("kept/deep", "garden")
        self.assert_same(back.document, texts)
        self.assertEqual(back.vectors, store.vectors)
        self.assertEqual(sorted(os.listdir("kept/deep")), ["garden.rag"])

    def test_order_and_duplicates_survive(self):
        chunks = self.chunks()
        texts = ["plain", chunks[0], chunks[2], "plain", chunks[1], chunks[1], chunks[2], "别的"]
        store = filled(texts, BgeEmbedding())
        store.persist(file="mixed")
        back = loaded("storage", "mixed")
        self.assert_same(back.document, texts)
        self.assertEqual(back.vectors, store.vectors)

    def test_odd_texts_survive_or_are_refused(self):
        class Length(BaseEmbeddings):
            def get_embedding(self, text):
                return [1.0, float(len(text))]
        texts = ["", "a\0b", "", " \n ", "a\r\nb", "𠮷", "", ""]
        filled(texts, Length()).persist(file="odd")
        self.assertEqual(loaded("storage", "odd").document, texts)
        with rag.Index("storage/odd.rag", must_exist=True) as index:
            self.assertEqual(index.verify(), [])
        with self.assertRaisesRegex(rag.InputError, "document 1 has a lone surrogate"):
            filled(["fine", "\ud800"], Length()).persist(file="odd")
        self.assertEqual(loaded("storage", "odd").document, texts)

    def test_what_was_loaded_can_be_written_again(self):
        for embedding, texts in ((BgeEmbedding(), ["tea", "garden"]), (Lookup(), ["east"])):
            filled(texts, embedding).persist(file="one")
            loaded("storage", "one").persist(file="two")
            back = loaded("storage", "two")
            self.assertEqual(back.document, texts)
            self.assertEqual(back.query(texts[0], embedding), [texts[0]])

    def test_a_store_is_an_index_that_rag_searches(self):
        chunks = self.chunks()
        filled(chunks, BgeEmbedding()).persist(file="garden")
        with rag.Index("storage/garden.rag", must_exist=True) as index:
            self.assertEqual(index.verify(), [])
            self.assertEqual(len(index), len(chunks))
            hit = index.search("Tomatoes in May", k=1, mode="lexical")[0]
        self.assertIn("Tomatoes", hit.text)
        self.assertEqual(pathlib.Path(hit.document).name, "b.md")
        self.assertEqual((hit.chunk.line, hit.heading), (chunks[1].line, chunks[1].heading))

    def test_vectors_of_any_norm_are_searched_alike_after_loading(self):
        filled().persist(file="norms")
        self.assertEqual(loaded("storage", "norms").query("north-east", Lookup(), k=1),
                         ["north-east"])

    def test_without_vectors_there_is_nothing_to_write(self):
        for store in (VectorStore(["east"]), VectorStore()):
            with self.assertRaisesRegex(rag.UsageError, "get_vector"):
                store.persist()
        self.assertFalse(os.path.exists("storage"))

    def test_a_vector_without_direction_is_refused_and_the_old_store_stays(self):
        filled().persist(file="kept")
        bad = filled(["east", "north"], Lookup(vectors={"east": [1.0, 0.0], "north": [0.0, 0.0]}))
        with self.assertRaisesRegex(rag.InputError, "document 1"):
            bad.persist(file="kept")
        self.assertEqual(loaded("storage", "kept").document, list(VECTORS))
        self.assertEqual(os.listdir("storage"), ["kept.rag"])

    def test_a_failure_at_the_last_step_leaves_the_old_store(self):
        filled(["east"]).persist(file="kept")
        with mock.patch.object(_persisted.os, "replace", side_effect=OSError(28, "full")):
            with self.assertRaises(OSError):
                filled().persist(file="kept")
        self.assertEqual(loaded("storage", "kept").document, ["east"])
        self.assertEqual(os.listdir("storage"), ["kept.rag"])
        filled().persist(file="kept")
        self.assertEqual(loaded("storage", "kept").document, list(VECTORS))

    def test_the_journal_of_a_killed_writer_is_not_played_into_the_new_store(self):
        filled(["east"]).persist(file="kept")
        journal = pathlib.Path("storage/kept.rag-journal")
        subprocess.run([sys.executable, "-c", KILLED_WRITER, "storage/kept.rag"], check=True)
        self.assertGreater(journal.stat().st_size, 512)
        filled().persist(file="kept")
        self.assertFalse(journal.exists())
        self.assertEqual(loaded("storage", "kept").document, list(VECTORS))

    def test_a_store_that_is_being_written_is_not_replaced(self):
        filled(["east"]).persist(file="kept")
        with contextlib.closing(sqlite3.connect("storage/kept.rag")) as writer, \
                mock.patch.object(_persisted, "_WAIT", 0.1):
            writer.execute("BEGIN IMMEDIATE")
            with self.assertRaisesRegex(rag.StoreBusyError, "kept.rag"):
                filled().persist(file="kept")
        self.assertEqual(loaded("storage", "kept").document, ["east"])

    def test_a_file_of_another_program_is_not_replaced(self):
        path = self.write("work/storage/kept.rag", "notes of mine " * 100)
        with self.assertRaisesRegex(rag.StoreError, "kept.rag"):
            filled().persist(file="kept")
        self.assertEqual(path.read_text(), "notes of mine " * 100)
        self.assertEqual(os.listdir("storage"), ["kept.rag"])


KILLED_WRITER = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size=1")
db.execute("BEGIN")
db.execute("CREATE TABLE junk(data)")
db.executemany("INSERT INTO junk VALUES(?)", [(bytes(5000),)] * 100)
os._exit(0)
"""
FIELDS = ("document", "heading", "number", "begin", "end", "line", "last_line", "tokens")


class LoadTest(Case):
    def old(self, folder, file="old", texts=("east", "north"), vectors=None, names=None):
        doc, vec = names or (f"{file}_doc.json", f"{file}_vec.json")
        vectors = [VECTORS[text] for text in texts] if vectors is None else vectors
        self.write(f"work/{folder}/{doc}", json.dumps(list(texts), ensure_ascii=False))
        self.write(f"work/{folder}/{vec}", json.dumps(vectors))

    def test_the_originals_files_load(self):
        self.old("storage")
        store = loaded("storage", "old")
        self.assertEqual(store.vectors, [VECTORS["east"], VECTORS["north"]])
        self.assertEqual(store.query("north", Lookup(), k=1), ["north"])
        store.persist(file="new")  # still of an unknown model
        self.assertEqual(loaded("storage", "new").query("north", Lookup("any")), ["north"])
        text = pathlib.Path("storage/old_doc.json")
        text.write_bytes(b"\xef\xbb\xbf" + text.read_bytes())  # as some editors save it
        self.assertEqual(loaded("storage", "old").document, store.document)

    def test_the_older_names_load(self):
        self.old("storage", names=("doecment.json", "vectors.json"))
        self.assertEqual(loaded("storage").document, ["east", "north"])
        with self.assertRaises(FileNotFoundError):
            loaded("storage", "other")

    def test_an_index_goes_before_json(self):
        self.old("storage", "both")
        filled(["west"]).persist(file="both")
        self.assertEqual(loaded("storage", "both").document, ["west"])

    def test_both_default_folders_are_looked_at_and_the_newer_store_wins(self):
        with self.assertRaisesRegex(FileNotFoundError, r"\.\./storage.*storage"):
            loaded(file="old")
        self.old("storage")
        self.assertEqual(loaded(file="old").document, ["east", "north"])
        self.old("../storage", texts=["west"])
        for folder, wanted in (("../storage", ["west"]), ("storage", ["east", "north"])):
            for name in ("storage", "../storage"):
                for part in ("doc", "vec"):
                    moment = 2_000_000_000 if name == folder else 1_000_000_000
                    os.utime(f"{name}/old_{part}.json", (moment, moment))
            self.assertEqual(loaded(file="old").document, wanted)

    def test_parts_that_do_not_fit_together_are_refused(self):
        for texts, vectors, word in ((["east"], [], "0 vectors"), (["east"], [["1"]], "finite"),
                                     (["a", "b"], [[1], [1, 2]], "2 numbers"),
                                     (["a"], [[math.nan]], "finite"), ([1], [[1]], "no text"),
                                     (["a"], [[True]], "finite"), (["a"], [[]], "finite"),
                                     (["a"], [[1e300]], "finite")):
            self.old("storage", texts=texts, vectors=vectors)
            with self.assertRaisesRegex(rag.InputError, word):
                loaded("storage", "old")
        self.write("work/storage/old_vec.json", '{"a": 1}')
        with self.assertRaisesRegex(rag.InputError, "no list"):
            loaded("storage", "old")
        os.remove("storage/old_vec.json")
        with self.assertRaisesRegex(rag.InputError, "old_vec.json"):
            loaded("storage", "old")

    def test_a_damaged_index_is_refused_and_what_was_there_stays(self):
        self.write("work/storage/bad.rag", "this is no index at all, " * 100)
        store = filled()
        with self.assertRaises(rag.StoreError):
            store.load_vector("storage", "bad")
        self.assertEqual(store.document, list(VECTORS))


if __name__ == "__main__":
    unittest.main()
