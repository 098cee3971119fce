#!/usr/bin/env python3
"""The commands that turn texts into tokens, vectors, scores and chunks: what they print."""
import json
import math
import pathlib

from support import Case, EMBEDDER, FILES, RERANKER, main

ODD = ["NUL \0 in it", "two\nlines", "\u2028 and \u2029", "👩‍👩‍👧 emoji", "", " ", "é e\u0301", "烤箱\t茶",
       '"quoted" \\ back', "\ufeffmark", "\r"]


def jsonl(texts):
    return "".join(json.dumps(text) + "\n" for text in texts)


class Tokenize(Case):
    def test_ids_and_byte_spans_come_out_a_line_a_text(self):
        text = "Tomatoes 和 tea"
        line, = self.objects("tokenize", stdin=text + "\n")
        self.assertEqual(list(line), ["ids", "spans"])
        self.assertEqual(len(line["ids"]), len(line["spans"]))
        self.assertEqual((line["spans"][0], line["spans"][-1]), ([0, 0], [0, 0]))
        data = text.encode()
        covered = set()
        for begin, end in line["spans"][1:-1]:
            data[begin:end].decode()
            covered.update(range(begin, end))
        self.assertEqual({data[i:i + 1] for i in range(len(data)) if i not in covered} - {b" "},
                         set())

    def test_a_json_string_may_hold_any_character(self):
        lines = self.objects("tokenize", "--jsonl", stdin=jsonl(ODD))
        self.assertEqual(len(lines), len(ODD))
        for text, line in zip(ODD, lines):
            for begin, end in line["spans"]:
                text.encode()[begin:end].decode()
            self.assertEqual(max(end for _, end in line["spans"]) > 0, bool(text), repr(text))

    def test_a_tokenizer_file_will_do(self):
        asked = self.run_rag("tokenize", "--tokenizer", EMBEDDER / "tokenizer.json", stdin="tea")
        self.assertEqual(asked.stdout, self.run_rag("tokenize", stdin="tea").stdout)

    def test_no_input_is_no_output(self):
        for command in (["tokenize"], ["embed"], ["rerank", "tea"]):
            done = self.run_rag(*command)
            self.assertEqual((done.stdout, done.err), (b"", ""))

    def test_a_bad_line_is_named(self):
        for command in (["tokenize"], ["embed"], ["rerank", "tea"]):
            for bad in (b'"broken', b"[1]", b"7", b"", b'"\xff"'):
                done = self.run_rag(*command, "--jsonl", stdin=b'"fine"\n' + bad + b"\n",
                                    status=3)
                self.assertIn("standard input, line 2: ", done.err)
            done = self.run_rag(*command, stdin=b"fine\nfine\n\xff\xfe\n", status=3)
            self.assertIn("standard input, line 3: ", done.err)

    def test_the_last_line_needs_no_newline(self):
        self.assertEqual(len(self.objects("tokenize", stdin="a\nb")), 2)


class Embed(Case):
    def test_vectors_have_norm_one(self):
        for line in self.objects("embed", stdin="tea\n烤箱需要预热\n\n"):
            self.assertEqual(list(line), ["dense", "tokens", "windows"])
            self.assertEqual((len(line["dense"]), line["windows"]), (32, 1))
            self.assertAlmostEqual(math.hypot(*line["dense"]), 1, places=5)

    def test_all_heads_come_from_one_pass(self):
        line, = self.objects("embed", "--heads", "dense,sparse,multi", stdin="green tea\n")
        self.assertEqual(list(line), ["dense", "sparse", "multi", "tokens", "windows"])
        ids = self.objects("tokenize", stdin="green tea\n")[0]["ids"]
        self.assertLessEqual(set(map(int, line["sparse"])), set(ids[1:-1]))
        self.assertTrue(all(weight > 0 for weight in line["sparse"].values()))
        self.assertEqual(line["tokens"], len(ids))
        self.assertEqual(len(line["multi"]), len(ids) - 1)
        for row in line["multi"]:
            self.assertAlmostEqual(math.hypot(*row), 1, places=5)
        alone, = self.objects("embed", "--heads", "multi", stdin="green tea\n")
        self.assertEqual(list(alone), ["multi", "tokens", "windows"])
        self.assertEqual(alone["multi"], line["multi"])

    def test_a_head_that_the_model_lacks_is_refused(self):
        said = self.run_rag("embed", "--model", RERANKER, stdin="tea\n", status=2).err
        self.assertIn("xlmr-reranker gives no dense vectors", said)

    def test_the_order_stays_over_many_lines(self):
        texts = [f"text {i} {'tea ' * (i % 7)}" for i in range(600)]
        lines = self.objects("embed", "--jsonl", stdin=jsonl(texts))
        self.assertEqual(len(lines), 600)
        for i in (0, 255, 256, 511, 512, 599):
            self.assertEqual(self.objects("embed", "--jsonl", stdin=jsonl([texts[i]])),
                             [lines[i]])

    def test_a_json_string_may_hold_any_character(self):
        self.assertEqual(len(self.objects("embed", "--jsonl", stdin=jsonl(ODD))), len(ODD))

    def test_a_long_text_takes_windows(self):
        line, = self.objects("embed", stdin="tea " * 400)
        self.assertGreater(line["windows"], 1)
        self.assertAlmostEqual(math.hypot(*line["dense"]), 1, places=5)


class Rerank(Case):
    def check(self, model):
        texts = [f"passage {i} {'tea ' * (i % 5)}" for i in range(300)] + ODD
        lines = self.objects("rerank", "green tea", "--model", model, "--jsonl",
                             stdin=jsonl(texts))
        self.assertEqual({tuple(line) for line in lines}, {("index", "score")})
        self.assertEqual(sorted(line["index"] for line in lines), list(range(len(texts))))
        order = [(-line["score"], line["index"]) for line in lines]
        self.assertEqual(order, sorted(order))
        return lines

    def test_a_cross_encoder_gives_logits_best_first(self):
        self.check(RERANKER)

    def test_an_embedding_model_gives_late_interaction_best_first(self):
        for line in self.check(EMBEDDER):
            self.assertLessEqual(abs(line["score"]), 1.000001)

    def test_without_jsonl_a_line_is_a_passage(self):
        lines = self.objects("rerank", "tea", "--model", RERANKER, stdin='"a\\n"\nb\n')
        self.assertEqual(len(lines), 2)


class Chunk(Case):
    def test_chunks_are_pieces_of_their_files(self):
        docs = self.write_documents()
        for arguments in ([], ["--chunker", "window", "--max-tokens", "20", "--overlap", "5"]):
            chunks = self.objects("chunk", *arguments, "docs")
            for chunk in chunks:
                self.assertEqual(list(chunk), ["document", "number", "heading", "lines",
                                               "bytes", "place", "tokens", "header", "text"])
                data = pathlib.Path(chunk["document"]).read_bytes()
                begin, end = chunk["bytes"]
                self.assertEqual(data[begin:end].decode(), chunk["text"])
                first, last = chunk["lines"]
                self.assertEqual(first, data[:begin].count(b"\n") + 1)
                self.assertEqual(last, data[:end - 1].count(b"\n") + 1)
            self.assertEqual(sorted({chunk["document"] for chunk in chunks}),
                             sorted(str(docs / name) for name in FILES))
            self.assertEqual([c["document"] for c in chunks], sorted(c["document"] for c in chunks))

    def test_no_chunk_is_longer_than_asked_for(self):
        self.write("long.md", "# Long\n\n" + "Tea is green. 茶是绿的。" * 200)
        for chunker in ("structure", "window"):
            chunks = self.objects("chunk", "long.md", "--chunker", chunker, "--max-tokens", "30")
            self.assertGreater(len(chunks), 10)
            self.assertLessEqual(max(chunk["tokens"] for chunk in chunks), 30)

    def test_headings_are_paths(self):
        self.write_documents()
        self.assertIn("Garden > Water",
                      {c["heading"] for c in self.objects("chunk", "docs", "--max-tokens", "24")})

    def test_a_missing_file_is_told(self):
        self.assertIn("gone.md", self.run_rag("chunk", "gone.md", status=3).err)


if __name__ == "__main__":
    main()
