#!/usr/bin/env python3
"""A folder with files made to do harm among good ones: each bad one is named and skipped with its reason,
the good ones of every format are indexed and found, and the run ends with status 0."""
import pathlib
import shutil
import sys

from support import Case, main

READERS = pathlib.Path(__file__).resolve().parent.parent / "readers"
sys.path.insert(0, str(READERS))
import hostile  # noqa: E402

GOOD = READERS.parent / "data" / "readers"


class HostileFiles(Case):
    def test_the_run_goes_on(self):
        docs = self.folder / "docs"
        docs.mkdir()
        # The slow ones are in tests/readers/test_hostile.py; here one of each kind will do.
        bad = {name: content for name, content, _ in hostile.refused()
               if name in ("bomb.zip", "laughs.docx", "deep.html", "deep.json", "no.pdf", "cut.docx")}
        for name, content in bad.items():
            (docs / name).write_bytes(content)
        good = [path for path in GOOD.iterdir() if path.is_file() and path.suffix not in (".py", ".md")]
        for path in good:
            shutil.copy(path, docs)
        report, = self.objects("index", "docs", "--json")
        self.assertEqual(report["skipped"], len(bad), report)
        self.assertEqual(report["added"], len(good), report)
        shown = self.run_rag("index", "docs")
        for name in bad:
            self.assertIn(f"docs/{name}: ", shown.err)
        # A mail says no word of it: found in what was read of a PDF, a sheet, slides and a page.
        for words, names in (("irrigation", {"libreoffice.pdf", "pandoc.docx", "libreoffice.odt", "pandoc.epub",
                                             "libreoffice.html", "pandoc.ipynb", "pandoc.rtf", "pandoc.org"}),
                             ("plums", {"libreoffice.xlsx", "libreoffice.ods", "openpyxl.xlsx"}),
                             ("willow", {"pandoc.pptx", "libreoffice.odp", "srt.srt", "webvtt.vtt"})):
            hits = self.objects("search", "--mode", "lexical", "-k", "40", words, "--json")
            found = {pathlib.Path(hit["document"]).name for hit in hits}
            self.assertLessEqual(names, found)

    def test_standard_input_is_a_file_of_any_format(self):
        report, = self.objects("index", "-", "--input-name", "report.docx", "--json", stdin=(GOOD / "pandoc.docx").read_bytes())
        self.assertEqual((report["added"], report["skipped"]), (1, 0))
        hit = self.objects("search", "--mode", "lexical", "irrigation", "--json")[0]
        self.assertEqual(hit["document"], "report.docx")
        again, = self.objects("index", "-", "--input-name", "report.docx", "--json", stdin=(GOOD / "pandoc.docx").read_bytes())
        self.assertEqual(again["unchanged"], 1)
        self.run_rag("index", "-", stdin=b"\0\1\2", status=3)

    def test_only_public_addresses_are_fetched(self):
        for url in ("http://127.0.0.1:9/x", "http://localhost/", "http://[::1]/", "http://169.254.169.254/", "http://0/"):
            done = self.run_rag("index", "--url", url, status=6)
            self.assertIn("nothing is fetched", done.err, url)
        self.run_rag("index", "--url", "file:///etc/passwd", status=2)
        self.run_rag("index", status=2)


if __name__ == "__main__":
    main()
