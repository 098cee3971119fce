#!/usr/bin/env python3
"""What rag reads of files that other programs have made: test_formats.py READ_DOCUMENT RAG_READER

The files are those of tests/data/readers (make_files.py says which programs made them), and the
documentation of Debian packages; what of those is not installed is left out, and named.
"""
import email.message
import gzip
import json
import mailbox
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import zipfile

from pdfs import blank_pdf, missing_program, scan
import reading
from reading import DATA, TESTS, Document, read

DOC = pathlib.Path("/usr/share/doc")


class Formats(unittest.TestCase):
    def check_report(self, name, kind):
        """The report, whoever made it: its structure, words, table, code and Chinese."""
        d = read(name)
        self.assertIn(f'"format": "{kind}"', d.head)
        titles = [title for _, title in d.headings]
        for title in ("Orchard report", "Trees and yields", "Irrigation", "中文说明"):
            self.assertIn(title, titles, name)
        self.assertEqual(titles.index("中文说明") - titles.index("Irrigation"), 1)
        self.assertIn("two kinds of trees", d.text)
        self.assertIn("The pond is not deep.", d.text)
        self.assertIn("果园里有苹果树和梨树。每年九月采摘苹果，十月采摘梨子。", d.text)
        self.assertEqual(d.kind_of("Apples are picked in September."), "item", name)
        self.assertEqual(d.kind_of("area * speed"), "code", name)
        self.assertIn("def flow(area, speed):\n    return area * speed", d.text)
        [table] = [table for table in d.tables if "Apple" in table]
        self.assertEqual(re.sub(" +", " ", table), "| Tree | Planted | Yield |\n| --- | --- | --- |\n"
                         "| Apple | 1998 | 120 |\n| Pear | 2004 | 85 |", name)
        return d

    def test_docx(self):
        d = self.check_report("pandoc.docx", "docx")
        self.assertIn('"author":"Ada Example"', d.head)
        self.check_report("libreoffice.docx", "docx")
        d = read("python-docx.docx")
        self.assertEqual(d.headings, [(1, "Orchard report"), (1, "Trees and yields"), (1, "中文说明")])
        self.assertEqual(d.tables, ["| Tree | Yield |\n| --- | --- |\n| Apple | 120 |\n| Pear | 85 |"])

    def test_odt(self):
        self.check_report("pandoc.odt", "odt")
        self.check_report("libreoffice.odt", "odt")
        d = read("libreoffice-2.odt")
        self.assertIn("中文说明", [title for _, title in d.headings])
        self.assertEqual(d.tables, ["| Tree | Yield |\n| --- | --- |\n| Apple | 120 |\n| Pear | 85 |"])

    def test_slides(self):
        for name in ("pandoc.pptx", "libreoffice.pptx", "libreoffice.odp"):
            d = read(name)
            titles = [title for _, title in d.headings]
            self.assertEqual(titles, ["Bees in spring", "First flights", "蜂蜜", "Numbers"], name)
            self.assertEqual(d.place_of("willow"), "slide 2", name)
            self.assertEqual(d.place_of("weather of last March"), "slide 2", name)
            self.assertEqual(d.place_of("春天的蜂蜜颜色较浅。"), "slide 3", name)
            self.assertEqual(d.tables, ["| Hive | Bees |\n| --- | --- |\n| North | 20000 |\n| South | 15000 |"], name)

    def test_sheets(self):
        for name in ("libreoffice.xlsx", "libreoffice.ods"):
            d = read(name)
            self.assertEqual(d.tables, ["| City | Product | Sold | Date |\n| --- | --- | --- | --- |\n"
                                        "| Köln | Apples, red | 120 | 2023-01-31 |\n"
                                        "| 北京 | Pears | 85 | 2023-02-28 |\n"
                                        '| Graz | The "good" plums | 40 | 2023-03-31 |'], name)
            self.assertTrue(d.place_of("Köln").startswith("sheet sales, cell A1"), name)
        for name in ("openpyxl.xlsx", "libreoffice-2.xlsx", "libreoffice-2.ods"):
            d = read(name)
            self.assertEqual(d.headings, [(1, "Sales"), (1, "空 & more")], name)
            self.assertEqual(d.place_of("Sales of the year"), "sheet Sales, cell A1")
            self.assertEqual(d.place_of("Apples, red"), "sheet Sales, cell B3")
            self.assertIn("| 北京 | Pears | 85 | 2023-02-28 |", d.text, name)
            self.assertEqual(d.place_of("| ok | TRUE | 0.1 |"), "sheet 空 & more, cell A1", name)

    def test_epub(self):
        self.check_report("pandoc.epub", "epub")
        d = read("libreoffice.epub")
        self.assertIn("两种" if "两种" in d.text else "two kinds of trees", d.text)

    def test_html(self):
        self.check_report("pandoc.html", "html")
        d = read("libreoffice.html")
        self.assertIn("Irrigation", [title for _, title in d.headings])
        self.assertIn("| Apple | 1998 | 120 |", d.text)

    def check_source(self, name, kind, chinese=True):
        """Markup that is text: the report's structure, and the file's own lines."""
        d = read(name)
        self.assertIn(f'"format": "{kind}"', d.head)
        titles = [title for _, title in d.headings]
        for title in ("Orchard report", "Trees and yields", "Irrigation", "中文说明"):
            self.assertIn(title, titles, name)
        levels = dict((title, level) for level, title in d.headings)
        self.assertLess(levels["Orchard report"], levels["Trees and yields"])
        self.assertEqual(levels["Irrigation"], levels["中文说明"])
        self.assertEqual(d.kind_of("Apples are picked in September."), "item", name)
        self.assertEqual(len([table for table in d.tables if "Apple" in table and "Pear" in table]), 1, name)
        lines = (DATA / name).read_text(encoding="utf-8").split("\n")
        for line in d.text.split("\n"):
            self.assertTrue(any(line == other.rstrip() for other in lines), (name, line))
        self.assertEqual([line for line in lines if line.strip()], [line for line in d.text.split("\n") if line.strip()])
        return d

    def test_text_markups(self):
        d = self.check_source("pandoc.rst", "rst")
        self.assertEqual(d.kind_of("area * speed"), "code")
        d = self.check_source("pandoc.adoc", "asciidoc")
        self.assertEqual(d.kind_of("area * speed"), "code")
        self.assertEqual(d.kind_of("Water early"), "quote")
        d = self.check_source("pandoc.org", "org")
        self.assertIn('"author":"Ada Example"', d.head)
        self.assertEqual(d.kind_of("area * speed"), "code")
        d = self.check_source("pandoc.latex", "latex")
        self.assertIn('"title":"Orchard report"', d.head)
        self.assertEqual(d.kind_of("\\ControlFlowTok{return}"), "code")

    def test_rtf(self):
        for name in ("pandoc.rtf", "libreoffice.rtf"):
            d = read(name)
            self.assertEqual([title for _, title in d.headings][-3:], ["Trees and yields", "Irrigation", "中文说明"], name)
            self.assertEqual(d.tables, ["| Tree | Planted | Yield |\n| --- | --- | --- |\n"
                                        "| Apple | 1998 | 120 |\n| Pear | 2004 | 85 |"], name)
            self.assertIn("果园里有苹果树和梨树。每年九月采摘苹果，十月采摘梨子。", d.text)
            self.assertIn("The pond is not deep.", d.text)
        d = read("libreoffice-2.rtf")
        self.assertEqual(d.headings, [(1, "Orchard report"), (1, "Trees and yields"), (1, "中文说明")])

    def test_notebook(self):
        d = read("pandoc.ipynb")
        self.assertIn('"format": "notebook"', d.head)
        self.assertIn((2, "中文说明"), d.headings)
        self.assertEqual(d.place_of("two kinds of trees"), "cell 1")
        self.assertEqual(d.kind_of("area * speed"), "code")

    def test_outputs_of_any_notebook(self):
        """Of an older format too, and what a terminal makes of sequences that end in the middle."""
        def outputs(*made, **more):
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "x.ipynb"
                cell = {"cell_type": "code", "source": ["x = 1"], "input": "x = 1", "outputs": list(made), **more}
                path.write_text(json.dumps({"nbformat": 3, "worksheets": [{"cells": [cell]}]}), encoding="utf-8")
                d = Document(path, "--notebook-outputs")
                self.assertEqual(d.status, 0, d.output)
                return [block[4] for block in d.blocks][1:]

        self.assertEqual(outputs({"output_type": "pyout", "text": ["42\n"]},
                                 {"output_type": "pyerr", "traceback": ["\x1b[0;31mE\x1b[0m", "at 1"]}), ["42\nE\nat 1"])
        self.assertEqual(outputs({"output_type": "display_data", "text": "<Figure>", "png": "aGk="}), [])
        self.assertEqual(outputs({"output_type": "stream", "text": "a\r\nb\rc\n\x1b]8;;http://x\x07link\x1b]8;;\x07\n"}),
                         ["a\nc\nlink"])
        self.assertEqual(outputs(*({"output_type": "stream", "name": "stdout", "text": f"\r{i} of 3"} for i in range(4))), ["3 of 3"])
        self.assertEqual(outputs({"text": "1"}, {"text": "2"}, {"data": {"text/plain": "3"}}, {}, {"text": 4}), ["1\n2\n3"])
        for text, shown in (("end\x1b", "end"), ("end\x1b[", "end"), ("end\x1b[31", "end"), ("\x1b[\xe9t\xe9", "\xe9t\xe9"),
                            ("\x1b\xe9", "\xe9"), ("x\x1b]never", "x")):
            self.assertEqual(outputs({"text": text}), [shown], text)
        self.assertLessEqual(len(outputs({"text": "\xe9" * 100000})[0].encode()), 1 << 14)

    def test_subtitles(self):
        for name in ("srt.srt", "pysubs2.srt", "pysubs2.vtt", "webvtt.vtt"):
            d = read(name)
            self.assertEqual(d.text, "Bees leave the hive at ten degrees. They look for willow. 春天的蜂蜜颜色较浅。", name)
            self.assertEqual(d.blocks[0][2], "00:00:01", name)

    def test_csv(self):
        d = read("source/sales.csv")
        self.assertEqual(d.tables, [(DATA / "source/sales.csv").read_text(encoding="utf-8").strip()])

    def test_archives_of_all_these(self):
        names = ["pandoc.docx", "libreoffice.pdf", "libreoffice.xlsx", "pandoc.epub", "pandoc.org", "source/report.md"]
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            made = []
            with zipfile.ZipFile(folder / "inner.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for name in names:
                    archive.write(DATA / name, f"docs/{name}")
                archive.write(DATA / "pandoc.docx", ".hidden/no.docx")
            with tarfile.open(folder / "outer.tar.gz", "w:gz") as archive:
                archive.add(folder / "inner.zip", "more/inner.zip")
                archive.add(DATA / "pandoc.rtf", "pandoc.rtf")
            for program in (["zip", "-q", "-r", folder / "info.zip", "pandoc.docx", "source"],
                            ["tar", "-cJf", folder / "gnu.tar.xz", "pandoc.docx", "source"]):
                try:
                    subprocess.run(program, cwd=DATA, check=True)
                    made.append(program[2 if program[0] == "tar" else 3])
                except FileNotFoundError:
                    print(f"left out, for it is not installed: {program[0]}")
            d = Document(folder / "inner.zip")
            self.assertEqual(d.status, 0, d.output)
            self.assertIn('"format": "zip"', d.head)
            self.assertEqual([title for level, title in d.headings if level == 1], [f"docs/{name}" for name in sorted(names)])
            self.assertIn("[docs/libreoffice.pdf, page 1]", d.output)
            self.assertIn("[docs/libreoffice.xlsx, sheet sales, cell A1]", d.output)
            self.assertIn("[docs/pandoc.epub, chapter 2]", d.output)
            self.assertIn((3, "中文说明"), d.headings)
            with zipfile.ZipFile(folder / "stored.zip", "w", zipfile.ZIP_STORED) as archive:
                for name in names:
                    archive.write(DATA / name, f"docs/{name}")
            self.assertEqual(Document(folder / "stored.zip").text, d.text)
            d = Document(folder / "outer.tar.gz")
            self.assertEqual(d.status, 0, d.output)
            self.assertIn('"format": "tar"', d.head)
            self.assertEqual([title for level, title in d.headings if level == 1], ["more/inner.zip", "pandoc.rtf"])
            self.assertIn((2, "docs/pandoc.org"), d.headings)
            for path in made:
                d = Document(path)
                self.assertIn("[source/sales.csv]", d.output)
                self.assertIn((3, "Trees and yields"), d.headings)

    def test_mail_with_attachments(self):
        """Written by Python's email package: a report in three formats and a picture."""
        message = email.message.EmailMessage()
        message["Subject"], message["From"] = "Der Bericht für 北京", "Ädä <ada@example.org>"
        message["To"], message["Date"] = "ben@example.org", "Tue, 04 Apr 2023 10:00:00 +0200"
        message.set_content("Grüße,\nhere it is.\n\n> what you asked\n")
        message.add_alternative("<p>Grüße, <b>not this one</b>", subtype="html")
        for name in ("pandoc.docx", "libreoffice.pdf", "source/sales.csv"):
            message.add_attachment((DATA / name).read_bytes(), maintype="application", subtype="octet-stream",
                                   filename=pathlib.Path(name).name.replace("sales", "Verkäufe"))
        message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="x.png")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "m.eml"
            path.write_bytes(message.as_bytes())
            d = Document(path)
            self.assertEqual(d.status, 0, d.output)
            self.assertIn('"title":"Der Bericht für 北京"', d.head)
            self.assertIn("Ädä", d.head)
            self.assertNotIn("not this one", d.text)
            self.assertNotIn("x.png", d.text)
            self.assertEqual(d.kind_of("what you asked"), "quote")
            self.assertIn((2, "pandoc.docx"), d.headings)
            self.assertIn((4, "Irrigation"), d.headings)
            self.assertIn("[libreoffice.pdf, page 1]", d.output)
            self.assertIn("[Verkäufe.csv]", d.output)
            box = mailbox.mbox(pathlib.Path(folder) / "box.mbox")
            for subject in ("one", "two"):
                copy = email.message.EmailMessage()
                copy["Subject"] = subject
                copy.set_content("From here on\n\nFrom the start\n")
                box.add(copy)
            box.close()
            d = Document(pathlib.Path(folder) / "box.mbox")
            self.assertEqual(d.headings, [(1, "one"), (1, "two")])
            self.assertEqual([block[2] for block in d.blocks if block[0] == "heading"], ["message 1", "message 2"])
            self.assertIn("From the start", d.text)

    def test_source_code(self):
        for name, kind, symbols in (
                (TESTS.parent / "src/documents/wire.c", "c", ["wire_send_request", "receive_text", "wire_receive_answer"]),
                (TESTS.parent / "python/rag/index.py", "python", ["Index", "__init__", "add"]),
                (TESTS / "readers/test_formats.py", "python", ["Formats", "Packages", "test_source_code"])):
            d = Document(name)
            self.assertIn(f'"format": "{kind}"', d.head)
            titles = [title for _, title in d.headings]
            for symbol in symbols:
                self.assertIn(symbol, titles, name)
            source = name.read_text(encoding="utf-8")
            self.assertEqual([line.rstrip() for line in source.split("\n") if line.strip()],
                             [line.rstrip() for line in d.text.split("\n") if line.strip()])
        self.assertIn((2, "test_source_code"), d.headings)

    def test_pdf(self):
        d = read("libreoffice.pdf")
        self.assertIn('"format": "pdf"', d.head)
        self.assertEqual(d.place_of("two kinds of trees"), "page 1")
        self.assertIn("果园里有苹果树和梨树。每年九月采摘苹果，十月采摘梨子。", d.text)

    def test_pdf_with_a_password_damaged_or_without_text(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.pdf"
            whole = (DATA / "libreoffice.pdf").read_bytes()
            path.write_bytes(whole[:3000])
            self.assertIn("it is damaged", self.refusal(path))
            path.write_bytes(whole[:3000] + b" /Encrypt 5 0 R ")
            self.assertIn("with a password", self.refusal(path))
            path.write_bytes(blank_pdf())
            self.assertIn("without a text layer", self.refusal(path))

    def test_a_scanned_pdf_is_recognised_if_it_is_asked_for(self):
        missing = missing_program()
        if missing:
            self.skipTest(f"{missing} is not installed")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "scan.pdf"
            path.write_bytes(scan(DATA / "libreoffice.pdf"))
            self.assertIn("without a text layer", self.refusal(path))
            d = Document(path, RAG_OCR="eng")
            self.assertEqual(d.status, 0, d.output)
            self.assertEqual(d.place_of("Apples are picked in September"), "page 1")
            self.assertEqual(Document(path, RAG_OCR="none").status, 3)
            for languages in ("xyz", "eng+no_such"):
                d = Document(path, RAG_OCR=languages)
                self.assertEqual(d.status, 3)
                self.assertIn(f"apt install tesseract-ocr-{languages.split('+')[-1].replace('_', '-')}", d.output)
            for languages in ("eng; touch x", "eng+", "+", "e" * 1000, "../eng"):
                self.assertEqual(Document(path, RAG_OCR=languages).status, 2, languages)

    def refusal(self, path):
        document = Document(path)
        self.assertEqual(document.status, 3, document.output)
        self.assertIn(str(path), document.output)
        return document.output


class Packages(unittest.TestCase):
    """Documentation of Debian packages, each made by a different program."""

    def document(self, path, unpack=False):
        path = pathlib.Path(path)
        if not path.exists():
            print(f"left out, for it is not installed: {path}")
            self.skipTest(str(path))
        if not unpack:
            return Document(path)
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / path.stem
            copy.write_bytes(gzip.open(path).read())
            return Document(copy)

    def test_html_of_docbook(self):
        d = self.document("/usr/share/debian-reference/ch02.zh-cn.html")
        self.assertIn((3, "2.1.1. 软件包配置"), d.headings)
        self.assertIn("| apt | V:874", d.text)
        self.assertNotIn("上一页", d.text)

    def test_html_of_sphinx(self):
        d = self.document(DOC / "debian-policy/policy.html/ch-source.html")
        self.assertEqual(d.headings[0], (1, "4. Source packages"))
        self.assertNotIn("Quick search", d.text)
        self.assertNotIn("¶", d.text)

    def test_html_of_asciidoc(self):
        d = self.document(DOC / "git-doc/git-diff-index.html")
        self.assertIn((2, "DESCRIPTION"), d.headings)
        self.assertEqual(d.kind_of("git diff-index [-m]"), "code")

    def test_epub_of_sphinx(self):
        d = self.document(DOC / "debian-policy/policy.epub")
        self.assertIn((2, "1.1. Scope"), d.headings)
        self.assertEqual(d.place_of("It is not a tutorial on how to build packages"), "chapter 2")
        d = self.document("/usr/share/developers-reference/developers-reference.epub")
        self.assertIn((1, "2. Applying to Become a Member"), d.headings)

    def test_pdf_of_xetex_in_chinese(self):
        d = self.document("/usr/share/debian-reference/debian-reference.zh-cn.pdf")
        self.assertIn((3, "1.4.2 定制 bash"), d.headings)
        self.assertEqual(d.place_of("你可以通过“~/.bashrc”来定制"), "page 46")

    def test_pdf_of_latex(self):
        d = self.document(DOC / "debian-policy/policy.pdf.gz", unpack=True)
        self.assertGreater(len(d.headings), 80)
        self.assertIn("Debian Policy Manual", d.head)

    def test_csv_of_distro_info(self):
        for name in ("debian", "ubuntu"):
            d = self.document(f"/usr/share/distro-info/{name}.csv")
            self.assertEqual([block[0] for block in d.blocks], ["table"])
            self.assertTrue(d.tables[0].startswith("version,codename,series,created"))

    def test_json_of_iso_codes(self):
        for name, line in (("iso_3166-1", "name: Germany"), ("iso_639-3", "name: Mandarin Chinese"),
                           ("iso_4217", "name: Euro")):
            d = self.document(f"/usr/share/iso-codes/json/{name}.json")
            self.assertIn(line, d.text)

    def test_asciidoc_of_git(self):
        """The sources of git's manual, which end in .txt."""
        for name in ("git-rebase", "git-log", "gitworkflows"):
            path = DOC / f"git-doc/{name}.txt"
            if not path.exists():
                path = DOC / f"git/{name}.txt"
            if not path.exists():
                self.skipTest(str(path))
            with tempfile.TemporaryDirectory() as folder:
                copy = pathlib.Path(folder) / f"{name}.adoc"
                copy.write_bytes(path.read_bytes())
                d = Document(copy)
            self.assertIn("DESCRIPTION", [title for _, title in d.headings], name)
            self.assertEqual(d.headings[0], (1, path.read_text(encoding="utf-8").split("\n", 1)[0]))

    def test_rst_of_docutils(self):
        for name in ("docs/ref/rst/restructuredtext", "docs/ref/rst/directives", "docs/user/rst/quickstart"):
            path = next((path for path in (DOC / f"docutils-doc/{name}.txt", DOC / f"docutils-doc/{name}.txt.gz",
                                           DOC / f"docutils/{name}.txt", DOC / f"docutils/{name}.txt.gz")
                         if path.exists()), None)
            if not path:
                self.skipTest(name)
            opened = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")
            with tempfile.TemporaryDirectory() as folder, opened as source:
                copy = pathlib.Path(folder) / "x.rst"
                copy.write_bytes(source.read())
                d = Document(copy)
            self.assertEqual(d.headings[0][0], 1, name)
            self.assertGreater(len(d.headings), 8, name)
            self.assertIn("code", [block[0] for block in d.blocks])

    def test_mails_of_python_tests(self):
        """Mails of many programs, good and bad, that Python's email package is tested with."""
        folder = pathlib.Path("/usr/lib/python3.11/test/test_email/data")
        mails = sorted(folder.glob("msg_*.txt"))
        if not mails:
            self.skipTest(str(folder))
        with tempfile.TemporaryDirectory() as work:
            copies = []
            for mail in mails:
                copies.append(pathlib.Path(work) / f"{mail.stem}.eml")
                copies[-1].write_bytes(mail.read_bytes())
            run = subprocess.run([reading.PROGRAM, *copies], env={**os.environ, "RAG_READER": reading.READER}, stdout=subprocess.PIPE)
            self.assertEqual(run.returncode, 0, run.stdout[-500:])
            self.assertGreater(run.stdout.count(b'"format": "mail"'), 40)
            d = Document(pathlib.Path(work) / "msg_46.eml")
            self.assertEqual(d.headings, [(1, "GroupwiseForwardingTest"), (2, "GroupwiseForwardingTest")])

    def test_pdf_of_a_formatter(self):
        d = self.document(DOC / "debian-policy/fhs/fhs-3.0.pdf.gz", unpack=True)
        self.assertIn((2, "1.1. Purpose"), d.headings)


if __name__ == "__main__":
    reading.take_programs()
    unittest.main()
