#!/usr/bin/env python3
"""Indexing, searching, asking, and looking after an index: what is printed where, and which
exit status tells what. A small model of random weights embeds; words find."""
import os
import pathlib
import shutil
import sqlite3

from support import Case, DATA, EMBEDDER, FILES, RERANKER, main

HIT = ["rank", "score", "scores", "document", "heading", "lines", "bytes", "place",
       "chunk", "collection", "metadata",
       "text"]


class Indexed(Case):
    def setUp(self):
        super().setUp()
        self.docs = self.write_documents()
        self.report, = self.objects("index", "docs", "--json")


class Index(Indexed):
    def test_the_report_counts(self):
        self.assertEqual(self.report["added"], 3)
        self.assertEqual((self.report["updated"], self.report["unchanged"],
                          self.report["removed"], self.report["skipped"]), (0, 0, 0, 0))
        self.assertEqual(self.report["chunks"], self.report["chunks_embedded"])
        self.assertEqual(self.report["index"], str(self.folder / ".rag/index.rag"))

    def test_an_unchanged_file_is_left_alone(self):
        shown = self.text("index", "docs")
        self.assertIn("0 added, 0 updated, 0 renamed, 3 unchanged, 0 removed, 0 skipped\n", shown)
        self.assertIn("\n0 chunks embedded", shown)

    def test_only_what_changed_is_embedded_and_what_is_gone_goes(self):
        garden = self.docs / "garden.md"
        garden.write_text(FILES["garden.md"].replace("July", "August"))
        (self.docs / "notes/plan.txt").unlink()
        report, = self.objects("index", "docs", "--json")
        self.assertEqual((report["updated"], report["unchanged"], report["removed"]), (1, 1, 1))
        self.assertLessEqual(report["chunks_embedded"], report["chunks"])
        self.run_rag("search", "--mode", "lexical", "deadline", status=1)

    def test_a_renamed_file_is_told_as_such_and_keeps_its_chunks(self):
        before = self.objects("search", "--mode", "lexical", "tomatoes", "--json")
        (self.docs / "garden.md").rename(self.docs / "zoo.md")
        shown = self.text("index", "docs")
        self.assertIn("0 added, 0 updated, 1 renamed, 2 unchanged, 0 removed, 0 skipped\n", shown)
        after = self.objects("search", "--mode", "lexical", "tomatoes", "--json")
        for hit in before + after:
            hit["document"] = pathlib.Path(hit["document"]).name
        self.assertEqual({hit["document"] for hit in after}, {"zoo.md"})
        self.assertEqual([hit["text"] for hit in before], [hit["text"] for hit in after])

    def test_a_dry_run_says_what_would_be_done_and_does_nothing(self):
        (self.docs / "garden.md").rename(self.docs / "zoo.md")
        (self.docs / "notes/plan.txt").unlink()
        self.write("docs/new.md", "# New\n\nA walrus has tusks.\n")
        self.write("docs/binary.md", b"\x00\x01\x02\x89PNG" * 50)
        path = self.folder / ".rag/index.rag"
        whole = path.read_bytes()
        self.env["RAG_CACHE"] = str(self.folder / "cache")  # where no run has left its speed
        said, = self.objects("index", "docs", "--dry-run", "--json", "--quiet")
        self.assertEqual(path.read_bytes(), whole)
        self.assertTrue(said["dry_run"])
        self.assertEqual({(change["change"], pathlib.Path(change["document"]).name)
                          for change in said["changes"]},
                         {("added", "new.md"), ("renamed", "zoo.md"), ("removed", "plan.txt"),
                          ("skipped", "binary.md")})
        for change in said["changes"]:
            self.assertTrue(change["reason"])
        self.assertEqual(said["chunks_embedded"], 1)
        self.assertGreater(said["tokens"], 3)
        self.assertGreater(said["estimated_seconds"], 0)
        self.assertEqual(said["speed_from"], "a sample")
        shown = self.text("index", "docs", "-n", "--quiet")
        self.assertRegex(shown, r"\A1 added, 0 updated, 1 renamed, 1 unchanged, 1 removed, 1 skipped\n"
                                r"1 chunks to embed \(\d+ tokens\): about \d+ s, at \d+ tokens/s by "
                                r"a sample; nothing was changed\n\Z")
        done, = self.objects("index", "docs", "--json", "--quiet")
        for name in ("added", "updated", "renamed", "unchanged", "removed", "skipped", "chunks",
                     "chunks_embedded"):
            self.assertEqual(done[name], said[name], name)
        self.assertEqual([pathlib.Path(item["path"]).name for item in done["skipped_files"]],
                         ["binary.md"])

    def test_a_long_run_leaves_its_speed_for_estimates(self):
        self.env["RAG_CACHE"] = str(self.folder / "cache")
        self.write("long/a.md", "".join(f"# Part {i}\n\ngreen tea {i} leaf {i * i}\n\n"
                                        for i in range(1500)))
        done, = self.objects("index", "long", "--json", "--quiet")
        self.write("docs/new.md", "# New\n\nA walrus has tusks.\n")
        said, = self.objects("index", "docs", "--dry-run", "--json", "--quiet")
        self.assertEqual(said["speed_from"], "earlier runs")
        self.assertAlmostEqual(said["tokens_per_second"], done["tokens"] / done["seconds"], delta=1)

    def test_a_dry_run_makes_no_index(self):
        said, = self.objects("index", "docs", "--dry-run", "--json", "--index", "deep/new.rag")
        self.assertEqual((said["added"], said["documents_total"]), (3, 0))
        self.assertFalse((self.folder / "deep").exists())

    def test_a_copied_text_is_not_embedded_again(self):
        shutil.copy(self.docs / "garden.md", self.docs / "copy.md")
        report, = self.objects("index", "docs", "--json")
        self.assertEqual((report["added"], report["chunks_embedded"]), (1, 0))

    def test_a_bad_file_is_named_skipped_and_counted(self):
        self.write("docs/binary.md", b"\x00\x01\x02\x89PNG" * 50)
        self.write("docs/good.md", "# Good\n\nHoney.\n")
        done = self.run_rag("index", "docs")
        self.assertIn(b"1 added, 0 updated, 0 renamed, 3 unchanged, 0 removed, 1 skipped", done.stdout)
        self.assertIn("binary.md", done.err)
        self.assertTrue(done.err.startswith("rag: skipped: "), done.err)

    def test_a_file_that_cannot_be_read_is_skipped(self):
        (self.docs / "dangling.md").symlink_to("nowhere.md")
        os.mkfifo(self.docs / "pipe.md")
        report, = self.objects("index", "docs", "--json")
        self.assertEqual(report["unchanged"], 3)
        self.assertEqual(report["added"], 0)

    def test_hidden_and_ignored_files_stay_out(self):
        self.write("docs/.gitignore", "secret.md\nbuild/\n")
        for name in (".hidden.md", "secret.md", "build/made.md", ".git/config.md"):
            self.write(f"docs/{name}", "# Hidden\n\nxylophone\n")
        report, = self.objects("index", "docs", "--json")
        self.assertEqual((report["added"], report["skipped"]), (0, 0))
        self.run_rag("search", "--mode", "lexical", "xylophone", status=1)

    def test_another_way_of_cutting_is_refused(self):
        said = self.run_rag("index", "docs", "--chunker", "window", status=4).err
        self.assertIn("--index FILE", said)

    def test_another_model_is_refused(self):
        said = self.run_rag("index", "docs", "--model", DATA / "bge-m3-like-other", status=5).err
        self.assertIn("bge-m3-like-other", said)
        shutil.copytree(EMBEDDER, self.folder / "other")
        config = self.folder / "other/sentence_bert_config.json"
        config.write_text(config.read_text().replace("130", "100"))
        said = self.run_rag("index", "docs", "--model", "./other", status=4).err
        self.assertIn("was made with the model", said)
        self.assertIn("--index FILE", said)
        self.run_rag("index", "docs", "--model", RERANKER, "--index", "new.rag", status=5)

    def test_a_path_that_is_not_there_is_told(self):
        self.assertIn("gone", self.run_rag("index", "gone", status=3).err)

    def test_where_nothing_is_indexed_no_index_is_left_behind(self):
        self.write("binary.md", b"\x00\x01\x02\x89PNG" * 50)
        for path, status in (("gone", 3), ("binary.md", 0)):
            self.run_rag("index", path, "--index", "deep/new.rag", status=status)
            self.assertFalse((self.folder / "deep").exists())

    def test_a_missing_model_is_told_with_advice(self):
        done = self.run_rag("index", "docs", "--index", "new.rag", "--model", "BAAI/bge-m3",
                            status=5)
        self.assertIn("rag model pull BAAI/bge-m3", done.err)
        self.assertEqual(done.stdout, b"")

    def test_quiet_says_nothing_but_the_result(self):
        self.write("docs/binary.md", b"\x00\x01\x02" * 50)
        done = self.run_rag("index", "docs", "--quiet")
        self.assertEqual(done.err, "")
        self.assertIn(b"1 skipped", done.stdout)

    def test_the_index_may_lie_elsewhere(self):
        self.run_rag("index", "docs/garden.md", RAG_INDEX=self.folder / "deep/down/my.rag")
        info, = self.objects("info", "--json", "--index", "deep/down/my.rag")
        self.assertEqual(info["documents"], 1)
        info, = self.objects("info", "--json", "--index", ".rag/index.rag",
                             RAG_INDEX="deep/down/my.rag")
        self.assertEqual(info["documents"], 3)

    def test_names_of_any_bytes_can_be_indexed_and_shown(self):
        path = os.fsencode(self.docs) + b"/bad-\xff-name.md"
        with open(path, "wb") as file:
            file.write(b"# Zebra\n\nA zebra has stripes.\n")
        self.run_rag("index", "docs")
        hit, = self.objects("search", "--json", "--mode", "lexical", "zebra")
        self.assertTrue(hit["document"].endswith("/bad-\ufffd-name.md"))
        chunk, = self.objects("chunk", os.fsdecode(path))
        self.assertEqual(chunk["document"], hit["document"])


class Search(Indexed):
    def test_a_hit_has_the_promised_members_and_the_file_s_own_bytes(self):
        hits = self.objects("search", "烤箱 tomatoes deadline", "--json")
        self.assertGreaterEqual(len(hits), 3)
        for i, hit in enumerate(hits):
            self.assertEqual(list(hit), HIT)
            self.assertEqual(list(hit["scores"]), ["dense", "lexical", "rerank", "sparse"])
            self.assertEqual(hit["rank"], i + 1)
            data = pathlib.Path(hit["document"]).read_bytes()
            begin, end = hit["bytes"]
            self.assertEqual(data[begin:end].decode(), hit["text"])
            self.assertEqual(hit["lines"][0], data[:begin].count(b"\n") + 1)
        scores = [hit["score"] for hit in hits]
        self.assertEqual(scores, sorted(scores, reverse=True))

    def test_a_hit_says_where_in_a_file_of_another_format_it_is(self):
        self.write("films/talk.srt", "1\n00:00:01,000 --> 00:00:03,000\nWelcome to the zeppelin.\n\n"
                                     "2\n00:01:05,000 --> 00:01:09,000\nIt is full of helium.\n")
        self.write("tables/sales.csv", "city,zeppelins\n" +
                   "".join(f"town number {i},{i}\n" for i in range(300)))
        self.run_rag("index", "films", "tables", "--index", "other.rag", "--quiet")
        hit = self.objects("search", "zeppelin", "--mode", "lexical", "--json", "--index",
                           "other.rag", "--path", "*.srt")[0]
        self.assertEqual(hit["place"], "00:00:01 to 00:01:05")
        rows = self.objects("chunk", "tables", "--max-tokens", "100")
        self.assertEqual(rows[0]["header"], "")
        self.assertEqual({row["header"] for row in rows[1:]}, {"city,zeppelins"})
        shown = self.run_rag("search", "zeppelin", "--mode", "lexical", "--index", "other.rag",
                             "--path", "*.srt").stdout.decode()
        self.assertIn(", 00:00:01 to 00:01:05", shown)

    def test_each_mode_gives_its_scores(self):
        for mode, given in (("lexical", {"lexical"}), ("dense", {"dense", "rerank"}),
                            ("hybrid", {"dense", "lexical", "sparse", "rerank"})):
            hit = self.objects("search", "tomatoes", "--json", "--mode", mode)[0]
            self.assertLessEqual({k for k, v in hit["scores"].items() if v is not None}, given)
        hit = self.objects("search", "tomatoes", "--json", "--rerank", "none")[0]
        self.assertIsNone(hit["scores"]["rerank"])
        hit = self.objects("search", "tomatoes", "--json", "--rerank", RERANKER)[0]
        self.assertIsNotNone(hit["scores"]["rerank"])

    def test_words_find_in_both_languages(self):
        for question, file in (("cucumbers", "garden.md"), ("预热", "厨房.md"),
                               ("DEADLINE", "notes/plan.txt")):
            hit = self.objects("search", question, "--mode", "lexical", "--json")[0]
            self.assertEqual(hit["document"], str(self.docs / file))

    def test_lexical_search_needs_no_model(self):
        self.run_rag("search", "--mode", "lexical", "tea", "--models", "/nonexistent", status=1)
        self.run_rag("search", "--mode", "lexical", "cucumbers", "--models", "/nonexistent")

    def test_the_text_layout_is_place_heading_scores_passage(self):
        shown = self.text("search", "cucumbers", "--mode", "lexical", "-k1")
        self.assertRegex(shown, r"\A1\. docs/garden\.md:\d+-\d+  Garden[^\n]*\n"
                                r"    score \d+\.\d{4}  lexical \d+\.\d{3}\n(    .+\n|\n)+\n\Z")
        self.assertNotRegex(shown, r"[ \t]\n")

    def test_nothing_found_is_status_one(self):
        done = self.run_rag("search", "--mode", "lexical", "xylophone", "--json", status=1)
        self.assertEqual((done.stdout, done.err), (b"", "nothing found\n"))

    def test_no_colour_in_a_pipe_and_none_with_no_color(self):
        arguments = ("search", "cucumbers", "--mode", "lexical")
        self.assertNotIn("\033", self.text(*arguments))
        self.assertIn(b"\033[1m1. ", self.on_terminal(*arguments)[1])
        self.assertNotIn(b"\033", self.on_terminal(*arguments, NO_COLOR="1")[1])

    def test_a_missing_index_is_told_with_advice(self):
        for command in (["search", "x"], ["ask", "x"], ["info"], ["verify"], ["compact"],
                        ["remove", "docs"]):
            done = self.run_rag(*command, "--index", "no/such.rag", status=4)
            self.assertIn("no/such.rag: there is no index", done.err)
            self.assertIn("rag index PATH", done.err)
            self.assertFalse((self.folder / "no").exists())

    def test_a_reader_that_goes_away_is_no_error(self):
        # A pipe takes 64 KiB; more than that must be left.
        self.write("many.md", "".join(f"# Part {i}\n\ntea {i} " + "leaf " * 60 + "\n\n"
                                      for i in range(900)))
        self.run_rag("index", "many.md", "--index", "many.rag")
        for command in (["search", "tea", "--mode", "lexical", "-k900", "--index", "many.rag"],
                        ["search", "tea", "--mode", "lexical", "-k900", "--index", "many.rag",
                         "--json"], ["chunk", "many.md"]):
            child = self.start(*command, stdout=-1, stderr=-1)
            child.stdout.read(10)
            child.stdout.close()
            self.assertEqual(child.stderr.read(), b"", command)
            self.assertEqual(child.wait(), 3)


class Ask(Indexed):
    def test_without_a_language_model_passages_are_quoted_and_cited(self):
        done = self.run_rag("ask", "When do the tomatoes go out?", "--quiet")
        shown = done.stdout.decode()
        self.assertIn("Tomatoes are planted in May, after the last frost.", shown)
        self.assertRegex(shown, r"\n\[1\] docs/\S+:\d+")
        self.assertEqual(done.err, "")
        self.assertEqual(self.text("ask", "--no-stream", "When do the tomatoes go out?"), shown)

    def test_json_gives_answer_citations_and_hits(self):
        answer, = self.objects("ask", "烤箱要预热多久？", "--json")
        self.assertEqual(list(answer), ["question", "searched", "answer", "found", "evidence", "llm",
                                        "citations", "dropped", "statements", "usage", "hits"])
        self.assertEqual((answer["llm"], answer["dropped"]), ("", 0))
        for hit in answer["hits"]:
            self.assertEqual(list(hit), HIT)
        self.assertTrue(answer["citations"])
        for citation in answer["citations"]:
            self.assertEqual(list(citation), ["number", "chunk", "document", "heading", "lines", "bytes", "place",
                                              "quote"])
            data = pathlib.Path(citation["document"]).read_bytes()
            begin, end = citation["bytes"]
            self.assertEqual(data[begin:end].decode(), citation["quote"])
            self.assertIn(f"[{citation['number']}]", answer["answer"])

    def test_nothing_found_is_status_one(self):
        done = self.run_rag("ask", "--mode", "lexical", "xylophone", status=1)
        self.assertEqual(done.stdout, b"")
        self.assertTrue(done.err.strip())

    def test_a_question_of_broken_utf8_is_refused(self):
        for more in ([], ["--json"], ["--mode", "lexical"]):
            self.assertIn("UTF-8", self.run_rag("ask", os.fsdecode(b"\xff?"), *more, status=3).err)

    def test_a_wrong_provider_and_a_missing_key_are_told(self):
        self.assertIn("openai", self.run_rag("ask", "tomatoes", "--llm", "nobody:x", status=2).err)
        self.assertIn("OPENAI_API_KEY",
                      self.run_rag("ask", "tomatoes", "--llm", "openai:x", status=6).err)
        self.assertIn("GEMINI_API_KEY",
                      self.run_rag("ask", "tomatoes", RAG_LLM="gemini:x", status=6).err)

    def test_control_characters_of_documents_stay_off_the_terminal(self):
        self.write("evil/a\033[31m.md", "# Red \033]0;title\007 \u009b31m\n\n"
                                        "A walrus \033[2J has \u0085 tusks.\r\n")
        self.run_rag("index", "evil", "--index", "evil.rag")
        for command in (["ask", "walrus"], ["ask", "walrus", "--no-stream"],
                        ["search", "walrus"]):
            done = self.run_rag(*command, "--index", "evil.rag")
            shown = done.stdout.decode() + done.err
            self.assertIn("walrus", shown)
            self.assertNotRegex(shown, "[\0-\x09\x0b-\x1f\x7f-\x9f]")


class LookAfter(Indexed):
    def test_info_tells_what_is_inside(self):
        info, = self.objects("info", "--json")
        self.assertEqual((info["documents"], info["chunker"], info["dimension"]),
                         (3, "structure", 32))
        self.assertEqual(info["model"], str(EMBEDDER))
        shown = self.text("info")
        for value in (str(EMBEDDER), info["model_identity"], "documents  3"):
            self.assertIn(value, shown)

    def test_a_whole_index_verifies(self):
        self.assertEqual(self.text("verify"), "ok\n")
        self.assertEqual(self.objects("verify", "--json"), [{"ok": True, "problems": 0}])

    def test_compact_says_what_it_gave_back(self):
        before = (self.folder / ".rag/index.rag").stat().st_size
        report, = self.objects("compact", "--json")
        self.assertEqual(report["bytes_before"], before)
        self.assertLessEqual(report["bytes_after"], before)
        self.assertEqual((self.folder / ".rag/index.rag").stat().st_size, report["bytes_after"])
        self.assertRegex(self.text("compact"), r"^[\d.]+ MB instead of [\d.]+ MB\n$")
        self.assertEqual(self.text("verify"), "ok\n")

    def test_remove_takes_documents_out(self):
        self.assertEqual(self.text("remove", "docs/notes"), "1 removed\n")
        self.assertEqual(self.objects("remove", "--json", "docs/garden.md"), [{"removed": 1}])
        done = self.run_rag("remove", "docs/garden.md", status=1)
        self.assertEqual(done.stdout, b"0 removed\n")
        info, = self.objects("info", "--json")
        self.assertEqual(info["documents"], 1)
        self.assertTrue((self.docs / "garden.md").exists())

    def test_a_file_of_another_kind_is_refused_and_left_alone(self):
        for content in (b"just a text, no index\n" * 100, b"SQLite format 3\0" + b"\0" * 4000):
            path = self.write("other.rag", content)
            for command in (["index", "docs"], ["search", "x"], ["verify"], ["info"]):
                self.assertIn("other.rag",
                              self.run_rag(*command, "--index", "other.rag", status=4).err)
            self.assertEqual(path.read_bytes(), content)

    def test_damage_is_found(self):
        path = self.folder / ".rag/index.rag"
        whole = path.read_bytes()
        at = whole.index("Tomatoes are planted".encode())
        path.write_bytes(whole[:at] + b"P" + whole[at + 1:])
        done = self.run_rag("verify", status=4)
        self.assertTrue(done.stdout.strip(), done.err)
        problems = self.objects("verify", "--json", status=4)
        self.assertEqual(problems[-1], {"ok": False, "problems": len(problems) - 1})
        self.assertGreater(len(problems), 1)
        self.assertEqual((problems[0]["kind"], problems[0]["collection"]), ("text", "default"))
        self.assertTrue(problems[0]["document"].endswith("garden.md"))
        path.write_bytes(whole[:len(whole) // 2])
        self.assertTrue(self.run_rag("verify", status=4).err)

    def test_damage_is_mended(self):
        path = self.folder / ".rag/index.rag"
        whole = path.read_bytes()
        at = whole.index("Tomatoes are planted".encode())
        damaged = whole[:at] + b"P" + whole[at + 1:]
        path.write_bytes(damaged)
        self.run_rag("repair", "--dry-run", status=4)
        self.assertEqual(path.read_bytes(), damaged)
        self.assertRegex(self.text("repair"),
                         r"mended: .*garden.md: read again from its file.*\n"
                         r"\d+ problems; 1 documents mended, 0 lost; 0 problems left\n$")
        self.assertEqual(self.text("verify", "--vectors", "9"), "ok\n")
        self.assertEqual(self.text("repair"), "ok\n")
        self.assertEqual(self.objects("repair", "--json")[-1]["problems"], 0)

    def test_a_damaged_structure_is_written_anew_and_the_damaged_file_kept(self):
        path = self.folder / ".rag/index.rag"
        damaged = path.read_bytes()
        damaged = damaged[:-16384] + b"\xa5" * 16384
        path.write_bytes(damaged)
        *lines, report = self.objects("repair", "--json", "--model", EMBEDDER)
        self.assertTrue(report["ok"] and report["salvaged"], report)
        kept, = (line["action"] for line in lines if line["kind"] == "kept")
        self.assertEqual(pathlib.Path(kept).read_bytes(), damaged)
        self.assertEqual(self.text("verify"), "ok\n")

    def test_another_model_under_the_same_name_is_found(self):
        self.assertEqual(self.text("verify"), "ok\n")
        with sqlite3.connect(self.folder / ".rag/index.rag") as file:
            file.execute("UPDATE recipe SET model_identity=replace(model_identity, 'a', 'b')")
        file.close()
        problem, report = self.objects("verify", "--json", status=4)
        self.assertEqual((problem["kind"], report["problems"]), ("model", 1))


if __name__ == "__main__":
    main()
