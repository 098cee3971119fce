#!/usr/bin/env python3
"""Scans: skipped with what to do, recognised if that is asked for, and read again where it makes a difference,
never else."""
import pathlib
import sys
import zipfile

from support import Case, main

READERS = pathlib.Path(__file__).resolve().parent.parent / "readers"
sys.path.insert(0, str(READERS))
import pdfs  # noqa: E402

PDF = READERS.parent / "data/readers/libreoffice.pdf"
SCAN = None


class Ocr(Case):
    def setUp(self):
        super().setUp()
        global SCAN
        if missing := pdfs.missing_program():
            self.skipTest(f"{missing} is not installed")
        SCAN = SCAN or pdfs.scan(PDF)
        self.write("docs/scan.pdf", SCAN)
        self.write("docs/text.md", "# A text\n\nIt is as it is.\n")

    def index(self, *options, path="docs", **more):
        report, = self.objects("index", path, "--json", *options, **more)
        return report

    def found(self):
        """The documents in which words of the scan are found."""
        hits = self.objects("search", "--mode", "lexical", "picked in September", "--json")
        return sorted({pathlib.Path(hit["document"]).name for hit in hits})

    def test_a_scan_is_skipped_and_read_by_the_next_run_that_asks_for_it(self):
        report = self.index()
        self.assertEqual((report["added"], report["skipped"]), (1, 1))
        self.assertIn("--ocr", report["skipped_files"][0]["reason"])
        self.run_rag("search", "--mode", "lexical", "September", status=1)
        report = self.index("--ocr", "eng")
        self.assertEqual((report["added"], report["unchanged"], report["skipped"]), (1, 1, 0))
        self.assertEqual(self.found(), ["scan.pdf"])

    def test_what_was_recognised_stays_and_is_not_done_again(self):
        self.index("--ocr", "eng")
        for options in (["--ocr", "eng"], [], ["--ocr", "none"]):
            report = self.index(*options)
            self.assertEqual((report["unchanged"], report["updated"]), (2, 0), options)
        self.assertEqual(self.found(), ["scan.pdf"])
        (self.folder / "docs/scan.pdf").rename(self.folder / "docs/moved.pdf")
        self.assertEqual(self.index("--ocr", "eng")["renamed"], 1)

    def test_an_archive_is_read_again_for_the_scan_in_it(self):
        with zipfile.ZipFile(self.folder / "docs/both.zip", "w") as made:
            made.writestr("scan.pdf", SCAN)
            made.writestr("good.md", "# Good\n\nNo picture.\n")
        report = self.index()
        self.assertEqual((report["added"], report["warnings"]), (2, 1))
        self.assertTrue(report["partial_files"][0]["reason"].startswith("scan.pdf: a PDF without a text layer"))
        report = self.index("--ocr", "eng", "--dry-run")
        self.assertEqual((report["added"], report["updated"]), (1, 1))
        change, = (change for change in report["changes"] if change["change"] == "updated")
        self.assertIn("how it is read", change["reason"])
        report = self.index("--ocr", "eng")
        self.assertEqual((report["added"], report["updated"], report["warnings"]), (1, 1, 0))
        self.assertEqual(self.found(), ["both.zip", "scan.pdf"])

    def test_other_languages_are_another_reading(self):
        self.index("--ocr", "eng")
        report = self.index("--ocr", "eng+eng")
        self.assertEqual((report["updated"], report["unchanged"]), (1, 1))

    def test_reindexing_and_the_environment(self):
        self.assertEqual(self.index(RAG_OCR="eng")["added"], 2)
        self.assertEqual(self.index("--ocr", "eng")["unchanged"], 2)
        self.run_rag("reindex", "--max-tokens", "40")
        self.assertEqual(self.found(), ["scan.pdf"])
        self.assertEqual(self.index("--ocr", "none", RAG_OCR="no_such")["unchanged"], 2)

    def test_a_language_that_is_not_there_is_told_with_how_to_get_it(self):
        for command in ("index", "chunk", "watch"):
            done = self.run_rag(command, "docs", "--ocr", "eng+xyz_abc", status=3)
            self.assertIn("apt install tesseract-ocr-xyz-abc", done.err)
            done = self.run_rag(command, "docs", "--ocr", "eng;xyz", status=2)
            self.assertIn("--ocr takes the names of languages", done.err)
        self.assertFalse((self.folder / ".rag").exists())

    def test_chunks_and_standard_input(self):
        self.assertIn("September", self.text("chunk", "docs/scan.pdf", "--ocr", "eng"))
        self.run_rag("index", "-", stdin=SCAN, status=3)
        report, = self.objects("index", "-", "--ocr", "eng", "--json", stdin=SCAN)
        self.assertEqual(report["added"], 1)
        self.assertEqual(self.found(), ["stdin"])
        report, = self.objects("index", "-", "--ocr", "eng", "--json", stdin=SCAN)
        self.assertEqual(report["unchanged"], 1)


if __name__ == "__main__":
    main()
