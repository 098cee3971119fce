#!/usr/bin/env python3
"""rag eval on a set so small that its figures are known by hand."""
import json
import math
import shutil

from support import Case, main

MEASURES = ["recall@1", "recall@5", "recall@10", "recall@50", "MRR@10", "nDCG@10"]

PASSAGES = {"p1": "apple apple apple", "p2": "apple banana and much more text about fruit",
            "p3": "cherry", "p4": "grape"}


class Eval(Case):
    def setUp(self):
        super().setUp()
        self.write("set/passages.jsonl", "".join(
            f'{{"id": "{name}", "text": "{text}"}}\n' for name, text in PASSAGES.items()))
        # q1: p1 before p2, only p2 is relevant; q2: at once; q3: no word of it is anywhere.
        self.write("set/queries.jsonl", '{"id": "q1", "text": "apple"}\n'
                                        '{"id": "q2", "text": "cherry"}\n'
                                        '{"id": "q3", "text": "melon"}\n')
        self.write("set/qrels.tsv", "query-id\tpassage-id\tgrade\nq1\tp2\t1\nq2\tp3\t1\n"
                                    "q3\tp4\t1\n")

    def test_the_figures_are_those_of_the_definitions(self):
        report, = self.objects("eval", "set", "--mode", "lexical", "--json")
        self.assertEqual(list(report), ["set", "label", "mode", "rerank", "passages", "queries",
                                        *MEASURES, "seconds_per_query", "intervals"])
        self.assertEqual((report["set"], report["mode"], report["passages"], report["queries"]),
                         ("set", "lexical", 4, 3))
        self.assertAlmostEqual(report["recall@1"], 1 / 3)
        for k in (5, 10, 50):
            self.assertAlmostEqual(report[f"recall@{k}"], 2 / 3)
        self.assertAlmostEqual(report["MRR@10"], (1 / 2 + 1 + 0) / 3)
        self.assertAlmostEqual(report["nDCG@10"], (1 / math.log2(3) + 1 + 0) / 3)
        self.assertEqual(list(report["intervals"]), MEASURES)
        for name in MEASURES:
            low, high = report["intervals"][name]
            self.assertTrue(0 <= low <= report[name] <= high <= 1, name)
        shown = self.text("eval", "set", "--mode", "lexical")
        self.assertTrue(shown.startswith("set: 3 queries, 4 passages\n"), shown)
        self.assertRegex(shown, r"\nlexical {10}    0\.3333( +0\.\d{4}){4}    0\.5436\n")
        self.assertRegex(shown, r"\n +\d+\.\d ms a query( +\S+-\S+){6}\n$")

    def test_without_a_mode_all_ways_are_shown_side_by_side(self):
        rows = self.objects("eval", "set", "--json")
        self.assertEqual([(row["label"], row["mode"], row["rerank"]) for row in rows],
                         [("dense", "dense", "none"), ("lexical", "lexical", "none"),
                          ("hybrid", "hybrid", "none"), ("hybrid, reranked", "hybrid", "auto")])
        for row in rows:
            alone, = self.objects("eval", "set", "--mode", row["mode"], "--rerank", row["rerank"],
                                  "--json")
            for name in (*MEASURES, "intervals"):
                self.assertEqual(row[name], alone[name], (row["label"], name))

    def test_two_ways_are_compared_on_the_same_queries(self):
        first, second, both = self.objects("eval", "set", "--rerank", "none", "--vs",
                                           "mode=lexical", "--json")
        self.assertEqual((first["mode"], second["mode"]), ("hybrid", "lexical"))
        self.assertEqual((both["set"], both["label"], both["less"]),
                         ("set", second["label"], first["label"]))
        for name in MEASURES:
            one = both["differences"][name]
            self.assertAlmostEqual(one["difference"], second[name] - first[name])
            self.assertTrue(one["interval"][0] <= one["difference"] <= one["interval"][1])
            self.assertEqual(one["better"] + one["worse"] + one["same"], 3)
            self.assertTrue(0 < one["p"] <= 1)
        self.assertEqual(both["differences"]["recall@50"]["worse"], 1)  # q3: no word is there
        shown = self.text("eval", "set", "--rerank", "none", "--vs", "mode=lexical")
        self.assertIn("\nlexical, rerank none, less hybrid, rerank none:\n", shown)
        self.assertRegex(shown, r"\nrecall@50 +-0\.3333 +-1\.0000 \+0\.0000 +0\.\d+ +0 +1 +2\n")

    def test_another_precision_has_vectors_of_its_own(self):
        rows = self.objects("eval", "set", "--precision", "f32", "--mode", "dense", "--rerank",
                            "none", "--vs", "precision=bf16", "--cache", ".", "--json")
        self.assertEqual(rows[2]["label"], "dense, rerank none, bf16")
        self.assertTrue((self.folder / "set-f32.rag").exists())
        self.assertTrue((self.folder / "set-bf16.rag").exists())

    def test_several_sets_have_a_cache_each(self):
        shutil.copytree(self.folder / "set", self.folder / "other")
        for _ in range(2):
            rows = self.objects("eval", "set", "other/", "--mode", "lexical", "--cache", ".",
                                "--json")
            self.assertEqual([row["set"] for row in rows], ["set", "other/"])
        self.assertTrue((self.folder / "set.rag").exists())
        self.assertTrue((self.folder / "other.rag").exists())

    def test_every_query_can_be_written(self):
        self.run_rag("eval", "set", "--mode", "lexical", "--per-query", "queries.jsonl")
        first, second, third = map(json.loads,
                                   (self.folder / "queries.jsonl").read_text().splitlines())
        self.assertEqual(list(first), ["set", "label", "query", "relevant", "rank", *MEASURES,
                                       "seconds", "found"])
        self.assertEqual((first["query"], first["rank"], first["MRR@10"]), ("q1", 2, 0.5))
        self.assertEqual([hit["passage"] for hit in first["found"]], ["p1", "p2"])
        self.assertEqual((second["rank"], third["rank"], third["found"]), (1, 0, []))

    def test_the_seed_decides_the_intervals(self):
        rows = [self.objects("eval", "set", "--mode", "lexical", "--json", *seed)[0]["intervals"]
                for seed in ((), ("--seed", "0"))]
        self.assertEqual(*rows)

    def test_what_does_not_go_together_is_refused(self):
        for arguments, word in ((("set", "--vs", "mode"), "mode: not KEY=VALUE"),
                                (("set", "--vs", "top-k=3"), '"top-k" cannot be set'),
                                (("set", "--vs", "mode=none"), '--mode does not take "none"'),
                                (("set", "set", "--index", "a.rag"), "--cache"),
                                (("set", "--index", "a.rag", "--cache", "."), "exclude"),
                                (("set", "--index", "a.rag", "--vs", "precision=f32"), "--cache")):
            self.assertIn(word, self.run_rag("eval", *arguments, status=2).err)

    def test_an_index_of_documents_is_no_cache(self):
        self.write("docs/a.txt", "Something else.\n")
        self.run_rag("index", "docs", "--index", "mine.rag")
        self.assertIn("a.txt", self.run_rag("eval", "set", "--index", "mine.rag", status=4).err)

    def test_a_kept_index_gives_the_same(self):
        for _ in range(2):
            reports = self.objects("eval", "set", "--index", "kept.rag", "--json")
            self.assertEqual([report["recall@50"] for report in reports], [1, 0.666666667, 1, 1])
        self.assertTrue((self.folder / "kept.rag").exists())
        self.assertEqual(self.text("verify", "--index", "kept.rag"), "ok\n")

    def test_errors_name_file_and_line(self):
        for name, line, text in (
                ("passages.jsonl", 5, '{"id": "p5"}\n'), ("queries.jsonl", 4, "what\n"),
                ("qrels.tsv", 5, "q1\tp9\t1\n"), ("qrels.tsv", 5, "q9\tp1\t1\n"),
                ("qrels.tsv", 5, "q1\tp1\tmuch\n"), ("qrels.tsv", 5, "q1\tp1\n")):
            path = self.folder / "set" / name
            whole = path.read_text()
            path.write_text(whole + text)
            said = self.run_rag("eval", "set", status=3).err
            self.assertIn(f"set/{name}:{line}: ", said)
            path.write_text(whole)
        (self.folder / "set/qrels.tsv").unlink()
        self.assertIn("set/qrels.tsv", self.run_rag("eval", "set", status=3).err)


if __name__ == "__main__":
    main()
