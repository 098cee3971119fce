#!/usr/bin/env python3
"""Of a file with parts that cannot be read, the others are indexed, and each bad one is named with its reason
and counted: on stderr, in the table, in JSON, by rag chunk, rag watch and from standard input."""
import email.message
import io
import json
import pathlib
import signal
import subprocess
import zipfile

from support import Case, Reader, main, wait_until

GOOD = (pathlib.Path(__file__).resolve().parent.parent / "data/readers/pandoc.docx").read_bytes()
BAD = GOOD[:3000]
UNREAD = "bad.docx: "


def archive(**entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, content in entries.items():
            made.writestr(name.replace("_", "."), content)
    return out.getvalue()


def mail():
    message = email.message.EmailMessage()
    message["Subject"], message["From"] = "The report", "ann@example.org"
    message.set_content("It is attached twice.")
    for name, content in (("good.docx", GOOD), ("bad.docx", BAD)):
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


class PartialFiles(Case):
    def setUp(self):
        super().setUp()
        self.write("docs/both.zip", archive(bad_docx=BAD, good_docx=GOOD))
        self.write("docs/letter.eml", mail())
        self.names = {"both.zip", "letter.eml"}

    def check(self, report):
        self.assertEqual((report["added"], report["skipped"], report["warnings"]), (2, 0, 2), report)
        self.assertEqual(report["skipped_files"], [])
        told = {pathlib.Path(item["path"]).name: item["reason"] for item in report["partial_files"]}
        self.assertEqual(set(told), self.names)
        for reason in told.values():
            self.assertTrue(reason.startswith(UNREAD) and len(reason) > len(UNREAD), reason)

    def test_each_is_named_and_counted_and_the_rest_is_found(self):
        tried, = self.objects("index", "--dry-run", "docs", "--json")
        self.check(tried)
        self.assertEqual([change["change"] for change in tried["changes"]], ["added", "partial"] * 2)
        report, = self.objects("index", "docs", "--json")
        self.check(report)
        hits = self.objects("search", "--mode", "lexical", "irrigation", "--json")
        self.assertEqual({pathlib.Path(hit["document"]).name for hit in hits}, self.names)
        self.assertTrue(all("good.docx" in hit["place"] for hit in hits), hits)
        again, = self.objects("index", "docs", "--json")
        self.assertEqual((again["unchanged"], again["warnings"], again["partial_files"]), (2, 0, []))

    def test_the_table_counts_them_and_stderr_has_the_reasons(self):
        done = self.run_rag("index", "docs")
        self.assertIn(b"2 parts of documents could not be read\n", done.stdout)
        for name in self.names:
            self.assertIn(f"docs/{name}: {UNREAD}", done.err)
        self.assertNotIn(b"could not be read", self.run_rag("index", "docs").stdout)

    def test_chunks_are_printed_of_what_can_be_read(self):
        done = self.run_rag("chunk", "docs")
        self.assertEqual(done.err.count(UNREAD), 2, done.err)
        self.assertIn(b"two kinds of trees", done.stdout)

    def test_standard_input(self):
        done = self.run_rag("index", "-", "--input-name", "stdin.eml", "--json", stdin=mail())
        report = json.loads(done.stdout)
        self.assertEqual((report["added"], report["warnings"]), (1, 1))
        self.assertIn(f"stdin.eml: {UNREAD}", done.err)

    def test_a_part_in_a_part_is_named_with_both(self):
        self.write("nested.zip", archive(inner_zip=archive(bad_docx=BAD, good_docx=GOOD),
                                         lines_jsonl='{"a": 1}\nno JSON\n'))
        report, = self.objects("index", "nested.zip", "--json")
        reasons = sorted(item["reason"] for item in report["partial_files"])
        self.assertEqual(len(reasons), 2, reasons)
        self.assertTrue(reasons[0].startswith("inner.zip: bad.docx: "), reasons)
        self.assertTrue(reasons[1].startswith("lines.jsonl: line 2 is no JSON"), reasons)

    def test_of_very_many_some_are_told_and_all_counted(self):
        """More than there is room for the lines of."""
        name = "a" * 200
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as made:
            made.writestr("good.md", "# Good\n\nThis one is fine.\n")
            for i in range(400):
                made.writestr(f"{i:03}{name}.docx", BAD)
        self.write("many.zip", out.getvalue())
        done = self.run_rag("index", "many.zip", "--json")
        report = json.loads(done.stdout)
        self.assertEqual((report["added"], report["warnings"]), (1, 400))
        self.assertEqual(len(report["partial_files"]), 11)
        self.assertEqual(report["partial_files"][-1]["reason"], "390 more parts of it could not be read")
        self.assertEqual(done.err.count("many.zip"), 11)

    def test_watching_tells_them(self):
        child = self.start("watch", "--json", "docs", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        out = Reader(child.stdout)
        wait_until(lambda: child.poll() is not None or out.data.count(b"partial") == 2, "both")
        self.assertIsNone(child.poll())
        child.send_signal(signal.SIGINT)
        changes = [json.loads(line) for line in out.text().splitlines()]
        self.assertEqual([change["change"] for change in changes], ["added", "partial"] * 2)


if __name__ == "__main__":
    main()
