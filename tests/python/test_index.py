"""Indexes: files and sources in, hits and documents out, with small random models."""

import array
import asyncio
import datetime
import json
import math
import pathlib
import sqlite3
import sys
import threading
import unittest
import zipfile

from support import EMBEDDER, FILES, RERANKER, Case, main

import rag

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "readers"))
import pdfs  # noqa: E402

TEXT = "Tomatoes need sun. Cucumbers need water. 黄瓜要水。"


def unit(*values):
    norm = math.sqrt(sum(value * value for value in values))
    return [value / norm for value in values]


def cut(text, *parts):
    """Chunks of a text, by their words."""
    data = text.encode()
    chunks = []
    for part in parts:
        begin = data.index(part.encode())
        chunks.append(rag.Chunk(part, begin=begin, end=begin + len(part.encode()), line=1,
                                last_line=1, heading="By hand"))
    return chunks


class Files(Case):
    def test_files_go_in_once_and_are_found(self):
        docs = self.write_files()
        index = self.open_index(model=EMBEDDER)
        report = index.add(docs)
        self.assertEqual((report.added, report.chunks_embedded), (3, report.chunks))
        self.assertEqual(len(index), report.chunks)
        again = index.add([docs])
        self.assertEqual((again.unchanged, again.tokens), (3, 0))
        hit, = index.search("Cucumbers in July", k=1, mode="lexical")
        self.assertEqual(hit.document, str(docs / "garden.md"))
        self.assertEqual((hit.rank, hit.metadata), (1, {}))
        self.assertIsNotNone(hit.lexical)
        self.assertIsNone(hit.dense)
        data = (docs / "garden.md").read_bytes()
        self.assertEqual(data[hit.chunk.begin:hit.chunk.end].decode(), hit.text)

    def test_files_bring_metadata_and_are_given_more(self):
        docs = self.write_files()
        page = docs / "page.md"
        page.write_text("---\ntags: [a, b]\nyear: 2023\n---\nCucumbers.\n")
        index = self.open_index(model=EMBEDDER)
        index.add(docs, metadata={"year": 2024, "by": "黄"})
        self.assertEqual(index.documents([page])[0].metadata,
                         {"tags": ["a", "b"], "year": 2024, "by": "黄"})
        report = index.add(docs, metadata={"by": "Ann"})
        self.assertEqual((report.updated, report.tokens), (4, 0))
        self.assertEqual(index.documents([page])[0].metadata,
                         {"tags": ["a", "b"], "year": 2023, "by": "Ann"})
        with self.assertRaises(rag.UsageError):
            index.add(docs, metadata=["no", "object"])

    def test_changes_are_told_and_can_be_foreseen(self):
        docs = self.write_files()
        index = self.open_index(model=EMBEDDER)
        told = []
        said = index.add(docs, dry_run=True, on_change=told.append)
        self.assertEqual((said.added, len(told), len(index)), (3, 3, 0))
        self.assertEqual({(change.kind, change.before) for change in told}, {("added", None)})
        self.assertGreater(said.estimated_seconds, 0)
        self.assertIn(said.speed_from, ("earlier runs", "a sample"))
        index.add(docs)
        (docs / "garden.md").rename(docs / "zoo.md")
        told.clear()
        report = index.add(docs, on_change=told.append)
        self.assertEqual((report.renamed, report.chunks_embedded), (1, 0))
        change, = told
        self.assertEqual((change.kind, change.path, change.before),
                         ("renamed", str(docs / "zoo.md"), str(docs / "garden.md")))
        (docs / "zoo.md").unlink()
        with self.assertRaises(ZeroDivisionError):
            index.add(docs, on_change=lambda change: 1 / 0)
        self.assertEqual(index.add(docs).removed, 0)

    @unittest.skipUnless(sys.platform == "linux", "files are watched on Linux")
    def test_files_are_followed_until_an_event_is_set(self):
        docs = self.write_files()
        index = self.open_index(model=EMBEDDER)
        stop, seen, reports = threading.Event(), threading.Semaphore(0), []

        def on_change(change):
            seen.release()

        thread = threading.Thread(
            target=lambda: reports.append(index.watch(docs, on_change, stop=stop)))
        thread.start()
        for _ in range(3):
            self.assertTrue(seen.acquire(timeout=120))
        self.assertEqual(len(index.search("Cucumbers", mode="lexical")), 1)
        (docs / "new.md").write_text("# A walrus\n")
        self.assertTrue(seen.acquire(timeout=120))
        self.assertEqual(len(index.search("walrus", mode="lexical")), 1)
        stop.set()
        thread.join()
        self.assertEqual(reports[0].added, 4)

    @unittest.skipUnless(sys.platform == "linux", "files are watched on Linux")
    def test_a_watching_task_ends_when_it_is_cancelled(self):
        docs = self.write_files()
        index = self.open_index(model=EMBEDDER)

        async def main():
            seen = asyncio.Event()
            loop = asyncio.get_running_loop()
            task = asyncio.create_task(
                index.awatch(docs, lambda change: loop.call_soon_threadsafe(seen.set)))
            await seen.wait()
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        self.assertEqual(index.add(docs).removed, 0)

    def test_an_index_gets_another_model_and_chunker(self):
        docs = self.write_files()
        index = self.open_index(model=EMBEDDER)
        index.add(docs)
        before, = index.search("Cucumbers", k=1, mode="lexical")
        report = index.reindex(max_tokens=60)
        self.assertTrue(report.switched)
        self.assertEqual((report.documents, report.chunks), (3, len(index)))
        self.assertEqual(index.info.max_tokens, 60)
        after, = index.search("Cucumbers", k=1, mode="lexical")
        self.assertEqual(after.document, before.document)
        self.assertGreater(after.chunk_id, before.chunk_id)
        with rag.Model(EMBEDDER) as model:
            report = index.reindex(model, chunker="window", max_tokens=20, overlap=4)
        self.assertEqual((index.info.chunker, index.info.overlap), ("window", 4))
        self.assertFalse(index.reindex().switched)
        self.assertEqual(len(index.search("Cucumbers", k=1)), 1)
        with self.assertRaises(rag.UsageError):
            index.reindex(max_tokens=0)

    def test_k_of_zero_gives_nothing_and_less_is_refused(self):
        index = self.open_index(model=EMBEDDER)
        self.assertEqual(index.search("a"), [])
        index.add(self.write_files())
        self.assertEqual(index.search("a", k=0), [])
        self.assertEqual(len(index.search("a", k=1, mode="dense")), 1)
        for options in ({"k": -1}, {"k": 2**64 + 1}, {"mode": "magic"}, {"candidates": 0},
                        {"candidates": 2**64 + 5}):
            with self.assertRaises(rag.UsageError):
                index.search("a", **options)
        with self.assertRaises(TypeError):
            index.search("a", k=1.5)
        with self.assertRaises(rag.InputError):
            index.search("\ud800")

    def test_a_hit_is_shown_in_its_surroundings(self):
        docs = self.write_files()
        text = "# Rows\n\n" + "".join(f"Row {i} has beans.\n\n" for i in range(60))
        path = docs / "rows.md"
        path.write_text(text)
        index = self.open_index(model=EMBEDDER, max_tokens=100)
        index.add(docs)
        hit, = index.search('"Row 30"', k=1, mode="lexical", path="rows.md")
        passage = index.passage(hit)
        self.assertEqual((passage.chunk_id, passage.text, passage.document, passage.heading),
                         (hit.chunk_id, hit.text, str(path), "Rows"))
        begin = hit.chunk.begin - len(passage.before)
        self.assertEqual(text[begin:hit.chunk.end + len(passage.after)],
                         passage.before + passage.text + passage.after)
        self.assertEqual(passage.before.count("Row"), 3)
        self.assertEqual(passage.after.count("Row"), 3)
        self.assertEqual((passage.file, passage.is_text, passage.format, passage.collection,
                          passage.metadata), ("same", True, "markdown", "default", {}))
        self.assertEqual(index.passage(path, hit.chunk.line), passage)
        self.assertEqual(index.passage(hit.chunk_id, before=0, after=1000).before, "")
        self.assertEqual(index.passage(path).chunk.begin, 0)
        path.write_text("other")
        self.assertEqual(index.passage(hit).file, "changed")
        path.unlink()
        self.assertEqual(index.passage(hit).file, "gone")
        self.assertEqual(index.passage(hit).before, passage.before)
        index.put([("memo", "beans")])
        self.assertIsNone(index.passage("memo").file)
        for hit, line in ((10**6, 0), ("nothing", 0), (path, 1000)):
            with self.assertRaises(rag.NotFoundError):
                index.passage(hit, line)
        for hit, options in ((1, {"line": 3}), (-1, {}), ("", {}), (1, {"before": -1}),
                             (1, {"after": 10001})):
            with self.assertRaises(rag.UsageError):
                index.passage(hit, **options)

    def test_documents_are_listed_and_go_out(self):
        docs = self.write_files()
        index = self.open_index(model=EMBEDDER)
        index.add(docs)
        names = [document.name for document in index.documents()]
        self.assertEqual(names, sorted((str(docs / name) for name in FILES), key=str.encode))
        one, = index.documents([docs / "garden.md", "not there"], texts=True)
        self.assertEqual(one.text, FILES["garden.md"])
        self.assertEqual((one.size, one.format), (len(FILES["garden.md"]), "markdown"))
        self.assertEqual(one.modified, (docs / "garden.md").stat().st_mtime_ns)
        self.assertIsNone(index.documents([docs / "garden.md"])[0].text)
        self.assertEqual(index.documents([]), [])
        self.assertEqual(index.remove(docs / "garden.md"), 1)
        self.assertEqual(index.remove([docs]), 2)
        self.assertEqual(len(index), 0)
        self.assertTrue(index, "an empty index is still one")

    def test_chunks_come_with_their_vectors_while_the_index_is_used(self):
        index = self.open_index(model=EMBEDDER)
        docs = self.write_files()
        index.add(docs)
        seen = 0
        with rag.Model(EMBEDDER) as model:
            for chunk, chunk_id, vector in index.chunks():
                context = chunk.heading + "\n" + chunk if chunk.heading else str(chunk)
                wanted = model.embed_lists([context], role="passage")[0]
                self.assertEqual(vector.tolist(), wanted)
                hits = index.search(str(chunk), k=100)
                self.assertIn(chunk_id, [hit.chunk_id for hit in hits])
                seen += 1
        self.assertEqual(seen, len(index))
        self.assertEqual({chunk.document for chunk, _, _ in index.chunks(docs / "plan.txt")},
                         {str(docs / "plan.txt")})

    def test_a_reranker_can_be_named(self):
        index = self.open_index(model=EMBEDDER, reranker=RERANKER)
        index.add(self.write_files())
        hits = index.search("Tomatoes", candidates=2)
        self.assertIsNotNone(hits[0].rerank)

    def test_the_info_tells_how_the_index_is_made(self):
        index = self.open_index(model=EMBEDDER, chunker="window", max_tokens=50, overlap=0)
        index.add(self.write_files())
        info = index.info
        self.assertEqual((info.chunker, info.max_tokens, info.overlap), ("window", 50, 0))
        self.assertEqual((info.documents, info.dimension), (3, 32))
        self.assertEqual(info.path, str(self.folder / "i.rag"))

    def test_what_cannot_be_opened_is_told_by_its_class(self):
        with self.assertRaises(rag.StoreError):
            rag.Index(self.folder / "none.rag", must_exist=True)
        (self.folder / "text.rag").write_text("not an index " * 99)
        with self.assertRaises(rag.StoreError):
            rag.Index(self.folder / "text.rag")
        with self.open_index(model=EMBEDDER, max_tokens=30) as index:
            index.add(self.write_files())
        with self.assertRaises(rag.MismatchError):
            rag.Index(self.folder / "i.rag", max_tokens=20)
        with self.assertRaisesRegex(rag.UsageError, "this Index is closed"):
            index.search("a")
        self.assertEqual(repr(index), "<rag.Index closed>")

    def test_a_file_that_cannot_be_read_is_a_warning_at_the_callers_line(self):
        docs = self.write_files()
        (docs / "bad.txt").write_bytes(b"\x80\x81\xff\n" * 9)
        index = self.open_index(model=EMBEDDER)
        with self.assertWarnsRegex(rag.RagWarning, "bad.txt") as caught:
            report = index.add(docs)
        self.assertEqual(caught.filename, __file__)
        self.assertEqual((report.added, report.skipped), (3, 1))

    def test_damage_is_listed(self):
        index = self.open_index(model=EMBEDDER)
        index.add(self.write_files())
        self.assertEqual(index.verify(), [])
        with sqlite3.connect(self.folder / "i.rag") as file:
            file.execute("UPDATE vectors SET vector = zeroblob(length(vector))")
        file.close()
        problem = index.verify()[0]
        self.assertEqual((problem.kind, problem.collection), ("vector", "default"))
        self.assertIn(problem.document, str(problem))
        self.assertGreater(problem.chunk, 0)

    def test_damage_is_mended(self):
        path = self.folder / "i.rag"
        with self.open_index(model=EMBEDDER) as index:
            index.add(self.write_files())
            self.assertEqual(index.verify(vectors=5), [])
            chunks = index.info.chunks
        with sqlite3.connect(path) as file:
            file.execute("UPDATE vectors SET vector = zeroblob(length(vector))")
        file.close()
        self.assertEqual(rag.repair(path, dry_run=True).left, chunks)
        report = rag.repair(path)
        self.assertEqual((report.lost, report.left, report.salvaged), (0, 0, False))
        self.assertEqual(report.chunks_embedded, chunks)
        self.assertEqual({action.kind for action in report.actions}, {"mended"})
        self.assertEqual(len(report.actions), report.mended)
        self.assertEqual(len(report.problems), chunks)
        with self.open_index() as index:
            self.assertEqual(index.verify(vectors=5), [])
        self.assertEqual(rag.repair(path).problems, [])
        with self.assertRaises(rag.StoreError):
            rag.repair(self.folder / "none.rag")

    def test_compact_gives_room_back(self):
        index = self.open_index(model=EMBEDDER)
        index.add(self.write_files())
        report = index.compact()
        self.assertEqual(report.bytes_before, report.bytes_after)
        self.assertEqual(index.info.bytes, report.bytes_after)
        self.assertGreater(report.seconds, 0)

    def test_an_index_may_be_shared_by_threads(self):
        index = self.open_index(model=EMBEDDER)
        index.add(self.write_files())
        wanted = [hit.chunk_id for hit in index.search("Tomatoes")]
        found = []
        threads = [threading.Thread(target=lambda: found.append(
            [hit.chunk_id for hit in index.search("Tomatoes")])) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, [wanted] * 6)


class Models(Case):
    def test_a_model_that_is_open_is_borrowed_and_outlives_its_closing(self):
        model = rag.Model(EMBEDDER)
        index = self.open_index(model=model)
        index.add(self.write_files())
        self.assertEqual(index.info.model_identity, model.info.identity)
        model.close()
        with self.assertRaises(rag.UsageError):
            model.embed_lists(["a"])
        del model
        self.assertTrue(index.search("Tomatoes"))

    def test_a_closed_model_is_not_borrowed(self):
        model = rag.Model(EMBEDDER)
        model.close()
        with self.assertRaisesRegex(rag.UsageError, "this Model is closed"):
            rag.Index(self.folder / "i.rag", model=model)


class Sources(Case):
    def test_texts_go_in_under_names_with_metadata(self):
        index = self.open_index(model=EMBEDDER)
        metadata = {"author": "某人", "year": 1999, "tags": ["a", None]}
        report = index.put([
            rag.Source("doc:1", TEXT, metadata),
            ("doc:2", "# Title\n\nSomething else entirely."),
            "A text without a name",
        ])
        self.assertEqual(report.added, 3)
        self.assertEqual([d.name for d in index.documents()], ["doc:1", "doc:2", "text#2"])
        self.assertEqual(index.documents(["doc:1"])[0].metadata, metadata)
        hit = index.search("Cucumbers need water", k=1, mode="lexical")[0]
        self.assertEqual((hit.document, hit.metadata), ("doc:1", metadata))
        self.assertEqual(index.put([("doc:2", "Replaced.")]).updated, 1)
        self.assertEqual(index.documents(["doc:2"], texts=True)[0].text, "Replaced.")
        self.assertEqual(index.verify(), [])

    def test_a_source_may_be_a_file_of_any_format(self):
        data = (pathlib.Path(__file__).parent.parent / "data/readers/python-docx.docx").read_bytes()
        index = self.open_index(model=EMBEDDER)
        self.assertEqual(index.put([rag.Source("report", data, format="file")]).added, 1)
        hit = index.search("picked in September", mode="lexical", k=1)[0]
        self.assertEqual((hit.document, hit.metadata["author"]), ("report", "Ada Example"))
        with self.assertRaises(rag.UsageError):
            index.put([rag.Source("report", data)])
        with self.assertRaises(rag.InputError):
            index.put([rag.Source("broken", data[:2000], format="file")])

    def test_a_part_that_cannot_be_read_is_warned_of_and_counted(self):
        good = (pathlib.Path(__file__).parent.parent / "data/readers/python-docx.docx").read_bytes()
        path = pathlib.Path(self.folder, "both.zip")
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("good.docx", good)
            made.writestr("bad.docx", good[:2000])
        changes = []
        with self.open_index(model=EMBEDDER) as index:
            with self.assertWarnsRegex(rag.RagWarning, r"both\.zip: bad\.docx: "):
                report = index.add(path, on_change=changes.append)
            self.assertEqual((report.added, report.skipped, report.warnings), (1, 0, 1))
            self.assertEqual([change.kind for change in changes], ["added", "partial"])
            self.assertTrue(changes[1].reason.startswith("bad.docx: "), changes)
            self.assertIn("good.docx", index.search("picked in September", mode="lexical")[0].chunk.place)
            with self.assertWarnsRegex(rag.RagWarning, r"both: bad\.docx: "):
                report = index.put([rag.Source("both", path.read_bytes(), format="file")])
            self.assertEqual((report.added, report.warnings), (1, 1))
        with self.assertRaisesRegex(rag.InputError, "bad.docx"):
            list(rag.chunk_paths(path, tokenizer=EMBEDDER, on_skip="raise"))

    @unittest.skipIf(pdfs.missing_program(), "pdftoppm and tesseract are not installed")
    def test_scans_are_read_if_their_languages_are_named(self):
        path = pathlib.Path(self.folder, "scan.pdf")
        path.write_bytes(pdfs.scan(pathlib.Path(__file__).parent.parent / "data/readers/libreoffice.pdf"))
        index = self.open_index(model=EMBEDDER)
        with self.assertWarnsRegex(rag.RagWarning, "--ocr"):
            self.assertEqual(index.add(path).skipped, 1)
        with self.assertRaisesRegex(rag.InputError, "apt install tesseract-ocr-xyz"):
            index.add(path, ocr="xyz")
        with self.assertRaises(rag.UsageError):
            index.add(path, ocr="not a language")
        self.assertEqual(asyncio.run(index.aadd(path, ocr="eng")).added, 1)
        self.assertEqual(index.search("picked in September", mode="lexical")[0].document, str(path))
        self.assertEqual(index.add(path, ocr="eng").unchanged, 1)
        self.assertEqual(index.put([rag.Source("a scan", path.read_bytes(), format="file")], ocr="eng").added, 1)
        self.assertTrue(list(rag.chunk_paths(path, tokenizer=EMBEDDER, ocr="eng")))

    def test_outputs_of_notebooks_are_read_if_they_are_asked_for(self):
        path = pathlib.Path(__file__).parent.parent / "data/readers/jupyter.ipynb"
        index = self.open_index(model=EMBEDDER)
        words = "205"  # a sum that only an output shows
        index.add(path)
        self.assertEqual(index.search(words, mode="lexical"), [])
        self.assertEqual(index.add(path, notebook_outputs=True).updated, 1)
        self.assertEqual(len(index.search(words, mode="lexical")), 1)
        index.put([rag.Source("run.ipynb", path.read_bytes(), format="file")], notebook_outputs=True)
        self.assertEqual(len(index.search(words, mode="lexical")), 2)
        chunks = rag.chunk_paths(path, tokenizer=EMBEDDER, notebook_outputs=True)
        self.assertIn("red words", "".join(chunks))

    def test_private_addresses_are_not_fetched(self):
        index = self.open_index(model=EMBEDDER)
        with self.assertRaises(rag.NetworkError):
            index.put_url("http://127.0.0.1:9/")
        with self.assertRaises(rag.UsageError):
            index.put_url("file:///etc/passwd")

    def test_chunks_cut_by_the_caller_are_kept_as_they_are(self):
        index = self.open_index(model=EMBEDDER)
        chunks = cut(TEXT, "黄瓜要水。", "Tomatoes need sun.", "need sun. Cucumbers")
        index.put([rag.Source("doc", TEXT, chunks=chunks)])
        found = [chunk for chunk, _, _ in index.chunks("doc")]
        self.assertEqual(found, ["黄瓜要水。", "Tomatoes need sun.", "need sun. Cucumbers"])
        self.assertEqual([c.heading for c in found], ["By hand"] * 3)
        self.assertEqual([(c.begin, c.end) for c in found], [(c.begin, c.end) for c in chunks])

    def test_vectors_of_the_caller_are_used_and_checked(self):
        chunks = cut(TEXT, "Tomatoes need sun.", "Cucumbers need water.")
        with rag.Model(EMBEDDER) as model:
            vectors = model.embed_lists([str(c) for c in chunks], role="passage")
        index = self.open_index(model=EMBEDDER)
        flat = array.array("f", [value for vector in vectors for value in vector])
        view = memoryview(flat).cast("B").cast("f", (2, 32))
        for name, given in (("lists", vectors), ("view", view)):
            index.put([rag.Source(name, TEXT, chunks=chunks, vectors=given)])
            self.assertEqual([v.tolist() for _, _, v in index.chunks(name)],
                             [flat[:32].tolist(), flat[32:].tolist()])
        for wrong in (vectors[:1], [v[:31] for v in vectors], vectors[0], [[1.0], [1.0, 2.0]]):
            with self.assertRaisesRegex(rag.InputError, "bad"):
                index.put([rag.Source("bad", TEXT, chunks=chunks, vectors=wrong)])
        with self.assertRaisesRegex(rag.UsageError, "no chunks"):
            index.put([rag.Source("bad", TEXT, vectors=vectors)])

    def test_an_index_of_a_model_that_rag_does_not_know(self):
        index = self.open_index(model="text-embedding-3-large", dimension=3)
        chunks = cut(TEXT, "Tomatoes need sun.", "Cucumbers need water.")
        index.put([rag.Source("doc", TEXT, chunks=chunks,
                              vectors=[unit(1, 0, 0.1), unit(0, 1, 0.1)])])
        hits = index.search("anything", vector=unit(0, 1, 0), mode="dense")
        self.assertEqual([hit.text for hit in hits],
                         ["Cucumbers need water.", "Tomatoes need sun."])
        with self.assertRaisesRegex(rag.InputError, "must have 3 values"):
            index.search("anything", vector=[1.0, 0.0])
        with self.assertRaises(rag.Error):
            index.search("anything", mode="dense")
        self.assertEqual(index.info.model, "text-embedding-3-large")

    def test_what_is_wrong_with_a_source_is_told_with_its_name(self):
        index = self.open_index(model=EMBEDDER)
        index.put([("kept", "This stays.")])
        bad_chunk = [rag.Chunk("x", begin=0, end=10**6)]
        for source in (
            rag.Source("bad", "a\ud800"),
            rag.Source("bad", TEXT, metadata={"set": {1}}),
            rag.Source("bad", TEXT, metadata={"nan": float("nan")}),
            rag.Source("bad", TEXT, chunks=bad_chunk),
        ):
            with self.assertRaisesRegex(rag.InputError, "bad"):
                index.put([source])
        with self.assertRaises(rag.Error):
            index.put([rag.Source("", TEXT)])
        with self.assertRaises(rag.Error):
            index.put([rag.Source("bad", TEXT, format="docx")])
        self.assertEqual([d.name for d in index.documents()], ["kept"])

    def test_a_source_of_no_chunks_is_a_document_of_none(self):
        index = self.open_index(model=EMBEDDER)
        index.put([rag.Source("doc", TEXT, chunks=[])])
        self.assertEqual(index.documents()[0].chunks, 0)


class Nearest(Case):
    def test_lists_of_lists_are_ranked_by_cosine(self):
        vectors = [[1, 0], [0, 2], [3, 3], [0, 0], [0, 5]]
        found = rag.nearest(vectors, [0, 1], 9)
        self.assertEqual([position for position, _ in found], [1, 4, 2, 0, 3])
        self.assertAlmostEqual(found[2][1], math.sqrt(0.5), places=6)

    def test_k_of_zero_and_no_vectors_give_nothing(self):
        self.assertEqual(rag.nearest([[1.0]], [1.0], 0), [])
        self.assertEqual(rag.nearest([], [1.0], 5), [])

    def test_what_does_not_fit_is_refused(self):
        for vectors, query in (([[1, 2]], [1]), ([[1, 2], [1]], [1, 2]), ([1, 2], [1, 2]),
                               ([[1, 2]], [[1, 2]])):
            with self.assertRaises(rag.InputError):
                rag.nearest(vectors, query, 1)
        with self.assertRaises(rag.UsageError):
            rag.nearest([[1.0]], [1.0], -1)


class Evaluation(Case):
    def setUp(self):
        super().setUp()
        passages = [{"id": str(i), "text": text} for i, text in enumerate(
            ["tomatoes in May", "bread in the oven", "water for cucumbers"])]
        queries = [{"id": "q", "text": "oven"}]
        for name, rows in (("passages", passages), ("queries", queries)):
            (self.folder / f"{name}.jsonl").write_text(
                "".join(json.dumps(row) + "\n" for row in rows))
        (self.folder / "qrels.tsv").write_text("q\t1\t1\n")

    def test_a_set_is_measured(self):
        report = rag.evaluate(self.folder, model=EMBEDDER, mode="lexical")
        self.assertEqual((report.passages, report.queries, report.recall_1), (3, 1, 1.0))

    def test_ways_of_searching_are_compared(self):
        with rag.Evaluation(self.folder, model=EMBEDDER) as evaluation:
            words = evaluation.run(mode="lexical")
            dense = evaluation.run(mode="dense", reranker="none")
        self.assertEqual(words.report.recall_1, 1.0)
        query, = words.queries()
        self.assertEqual((query.id, query.relevant, query.rank), ("q", 1, 1))
        self.assertEqual(query.measures["nDCG@10"], 1.0)
        self.assertEqual([name for name, _ in query.found], ["1"])
        self.assertEqual(words.intervals(samples=10)["recall@1"], (1.0, 1.0))
        difference = words.compare(dense)["MRR@10"]
        self.assertAlmostEqual(difference.difference, 1 - dense.report.mrr_10)
        self.assertEqual(difference.better + difference.worse + difference.same, 1)
        with self.assertRaises(rag.UsageError):
            words.intervals(confidence=1.5)
        words.close()
        with self.assertRaises(rag.UsageError):
            words.queries()


class Filters(Case):
    def setUp(self):
        super().setUp()
        self.index = self.open_index(model=EMBEDDER)
        self.index.put([rag.Source("notes/a.md", "Tomatoes need sun.", {"year": 2020, "wet": True},
                                   "markdown"),
                        rag.Source("notes/b", "Tomatoes need water.", {"year": 2024, "by": "Ann"})])

    def found(self, **filter):
        return sorted(hit.document for hit in self.index.search("tomatoes", **filter))

    def test_a_search_is_of_the_documents_that_are_asked_for(self):
        self.assertEqual(self.found(), ["notes/a.md", "notes/b"])
        self.assertEqual(self.found(path="*.md"), ["notes/a.md"])
        self.assertEqual(self.found(path=["*.md", "notes/?"]), ["notes/a.md", "notes/b"])
        self.assertEqual(self.found(format="text"), ["notes/b"])
        self.assertEqual(self.found(where="year>2020"), ["notes/b"])
        self.assertEqual(self.found(where=["year>=2020", "wet=true"]), ["notes/a.md"])
        self.assertEqual(self.found(where={"year": 2024, "by": "Ann"}), ["notes/b"])
        self.assertEqual(self.found(where={"wet": True}), ["notes/a.md"])
        self.assertEqual(self.found(collection="other"), [])

    def test_times_may_be_python_s(self):
        now = datetime.datetime.now()
        self.assertEqual(len(self.found(since=now - datetime.timedelta(hours=1))), 2)
        self.assertEqual(self.found(since=now + datetime.timedelta(hours=1)), [])
        self.assertEqual(self.found(until=datetime.date(2020, 1, 1)), [])
        self.assertEqual(len(self.found(since="7d", until="2200-01-01")), 2)

    def test_a_filter_that_makes_no_sense_is_a_usage_error(self):
        for wrong in ({"where": "year"}, {"since": "soon"}, {"path": "[a"}):
            with self.assertRaises(rag.UsageError):
                self.found(**wrong)

    def test_answers_and_tasks_are_filtered_too(self):
        answer = self.index.ask("Tomatoes?", llm="none", path="*.md", min_evidence=0)
        self.assertEqual({hit.document for hit in answer.hits}, {"notes/a.md"})
        hits = asyncio.run(self.index.asearch("tomatoes", format="text"))
        self.assertEqual([hit.document for hit in hits], ["notes/b"])

    def test_a_collection_is_written_searched_and_removed_by_itself(self):
        work = self.open_index(model=EMBEDDER, collection="work")
        work.put([("notes/b", "Tomatoes are work.")])
        self.assertEqual(self.index.info.collections, {"default": 2, "work": 1})
        hit, = work.search("tomatoes")
        self.assertEqual((hit.text, hit.collection), ("Tomatoes are work.", "work"))
        self.assertEqual(len(self.index.search("tomatoes")), 3)
        self.assertEqual([hit.collection for hit in
                          self.index.search("tomatoes", collection="work")], ["work"])
        self.assertEqual([(d.collection, d.name) for d in self.index.documents()],
                         [("default", "notes/a.md"), ("default", "notes/b"), ("work", "notes/b")])
        self.assertEqual(len(list(self.index.chunks())), 3)
        with self.assertRaises(rag.UsageError):
            self.index.remove()
        self.assertEqual(work.remove(), 1)
        self.assertEqual(self.index.info.collections, {"default": 2})


if __name__ == "__main__":
    main()
