#!/usr/bin/env python3
"""rag eval on a set so small that its figures are known by hand."""
import math

from support import Case, main

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
        self.assertEqual(list(report), ["set", "mode", "rerank", "passages", "queries",
                                        "recall@1", "recall@5", "recall@10", "recall@50",
                                        "MRR@10", "nDCG@10", "seconds_per_query"])
        self.assertEqual((report["set"], report["mode"], report["passages"], report["queries"]),
                         ("set", "lexical", 4, 3))
        self.assertAlmostEqual(report["recall@1"], 1 / 3)
        for k in (5, 10, 50):
            self.assertAlmostEqual(report[f"recall@{k}"], 2 / 3)
        self.assertAlmostEqual(report["MRR@10"], (1 / 2 + 1 + 0) / 3)
        self.assertAlmostEqual(report["nDCG@10"], (1 / math.log2(3) + 1 + 0) / 3)
        shown = self.text("eval", "set", "--mode", "lexical")
        self.assertIn("set: 3 queries, 4 passages, mode lexical", shown)
        self.assertIn("  recall@1   0.3333\n", shown)
        self.assertIn("  nDCG@10    0.5436\n", shown)

    def test_a_kept_index_gives_the_same(self):
        for _ in range(2):
            report, = self.objects("eval", "set", "--index", "kept.rag", "--json")
            self.assertEqual(report["recall@50"], 1)
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
