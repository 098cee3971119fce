#!/usr/bin/env python3
"""What rag reads of files by further programs: test_programs.py READ_DOCUMENT RAG_READER

make_more.py says which programs made the files of tests/data/readers, others/README.md whose the others are.
"""
import csv
import email.message
import io
import json
import mailbox
import pathlib
import re
import tempfile
import unittest
import zipfile

import reading
from reading import DATA, Document, read

SLIDES = ["Bees in spring", "First flights", "蜂蜜", "Numbers"]
REPORT = ["Trees and yields", "Irrigation", "中文说明"]


def words(text):
    return re.findall(r"\w+", text)


def source_text(name):
    """The texts of a notebook's cells in their order, as Python's json reads them."""
    notebook = json.loads((DATA / name).read_text(encoding="utf-8"))
    cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
    return ["".join(cell.get("source", cell.get("input"))) for cell in cells]


class Programs(unittest.TestCase):
    def assert_lines_kept(self, name, d, encoding="utf-8"):
        """Markup that is text is the file's own lines, without the blank ones."""
        lines = (DATA / name).read_text(encoding=encoding).split("\n")
        self.assertEqual([line.rstrip() for line in lines if line.strip()],
                         [line.rstrip() for line in d.text.split("\n") if line.strip()], name)

    def read_all(self, name, kind):
        d = read(name)
        self.assertIn(f'"format": "{kind}"', d.head, name)
        self.assertNotIn("\ufffd", d.output, name)
        return d

    def titles(self, d):
        return [title for _, title in d.headings]

    def test_latex(self):
        """Sections, whatever command makes them, and their titles without labels and comments."""
        for name, first, code in (("docutils.tex", ["Orchard report"], None), ("sphinx.tex", ["Orchard report"], "{flow}"),
                                  ("nbconvert.tex", ["Orchard report"], "area"), ("doxygen.tex", [], "area * speed")):
            d = self.read_all(name, "latex")
            self.assertEqual(self.titles(d), first + REPORT, name)
            self.assertEqual(len({level for level, title in d.headings if title in REPORT}), 1, name)
            self.assertEqual(d.kind_of("Apples are picked in September."), "item", name)
            self.assertEqual(next(block[1] for block in d.blocks if "Early ones" in block[4] and block[0] == "item"), 2, name)
            self.assertEqual(len([table for table in d.tables if "Apple" in table and "1998" in table and "85" in table]), 1, name)
            if code:
                self.assertEqual(d.kind_of(code), "code", name)
            self.assert_lines_kept(name, d)
        self.assertIn('"title":"Orchard report"', read("docutils.tex").head)
        self.assertIn('"author":"Ada Example"', read("sphinx.tex").head)

    def test_latex_in_the_set_that_it_declares(self):
        d = self.read_all("docutils-latin1.tex", "latex")
        self.assertEqual(self.titles(d), ["Äpfel und Birnen", "Größe"])
        self.assertIn('"title":"Über den Obstgarten"', d.head)
        self.assert_lines_kept("docutils-latin1.tex", d, encoding="latin-1")

    def test_org(self):
        d = self.read_all("others/go-org-headlines.org", "org")
        self.assertEqual(self.titles(d)[:4], ["Simple Headline [1/2]", "Headline with todo status & priority",
                                              "Headline with TODO status", "Headline with tags & priority"])
        self.assertEqual([level for level, _ in d.headings][-3:], [2, 3, 2])
        self.assert_lines_kept("others/go-org-headlines.org", d)
        d = self.read_all("others/go-org-blocks.org", "org")
        self.assertEqual(d.kind_of(": some results without a block"), "code")
        self.assertEqual(d.kind_of(": examples like this"), "code")
        self.assertEqual(d.kind_of("Mongodb is *webscale*"), "quote")
        self.assertEqual(d.kind_of("echo \"a bash source block\""), "code")
        self.assertEqual(d.headings, [])
        self.assert_lines_kept("others/go-org-blocks.org", d)
        d = self.read_all("others/orgparse-attributes.org", "org")
        self.assertEqual(self.titles(d)[0], "A node with a lot of attributes")
        self.assert_lines_kept("others/orgparse-attributes.org", d)

    def test_what_is_said_about_a_paragraph_of_org_does_not_take_it_along(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.org"
            path.write_text("#+ATTR_HTML: :width 300\n#+CAPTION: The pond\nIt is not deep.\n# a comment\n#hashtag\n", encoding="utf-8")
            d = Document(path)
            self.assertEqual([(block[0], block[4]) for block in d.blocks],
                             [("other", "#+ATTR_HTML: :width 300"), ("other", "#+CAPTION: The pond"),
                              ("paragraph", "It is not deep."), ("other", "# a comment"), ("paragraph", "#hashtag")])

    def test_rst(self):
        d = self.read_all("others/docutils-demo.rst", "rst")
        self.assertEqual(self.titles(d)[:6], ["reStructuredText Demonstration", "Examples of Syntax Constructs",
                                              "Structural Elements", "Section Title", "Transitions", "Body Elements"])
        self.assertEqual(len(d.headings), 35)  # as many sections as docutils counts
        self.assertGreater(len(d.tables), 1)
        self.assert_lines_kept("others/docutils-demo.rst", d)
        d = self.read_all("sphinx.rst", "rst")
        self.assertEqual(d.headings, [(1, "Orchard documentation")])
        self.assert_lines_kept("sphinx.rst", d)

    def test_asciidoc(self):
        d = self.read_all("others/asciidoctor-syntax.adoc", "asciidoc")
        self.assertIn('"title":"AsciiDoc Syntax"', d.head)
        self.assertEqual(self.titles(d)[:3], ["AsciiDoc Syntax", "Paragraphs", "Text Formatting"])
        self.assert_lines_kept("others/asciidoctor-syntax.adoc", d)
        d = self.read_all("nbconvert.adoc", "asciidoc")
        self.assertEqual(self.titles(d), ["Orchard report", "Trees and yields", "Irrigation", "中文说明"])
        self.assertEqual(d.kind_of("return area * speed"), "code")
        self.assert_lines_kept("nbconvert.adoc", d)

    def test_notebooks_have_the_text_of_their_cells(self):
        for name in ("jupyter.ipynb", "jupytext.ipynb", "others/nbformat-3.ipynb", "others/nbformat-4.5.ipynb"):
            d = self.read_all(name, "notebook")
            for number, text in enumerate(source_text(name), 1):
                found = "\n".join(block[4] for block in d.blocks if block[2].startswith(f"cell {number}"))
                self.assertEqual(words(text), words(found)[:len(words(text))], (name, number))
        self.assertEqual(self.titles(read("jupytext.ipynb")), ["Orchard report"] + REPORT)

    def test_what_a_notebook_shows(self):
        """Outputs, if they are asked for, as a reader of the page sees them: no colours, a line each, HTML as HTML."""
        without = read("jupyter.ipynb")
        self.assertEqual([block[2] for block in without.blocks if block[0] == "code"], [f"cell {i}" for i in range(2, 8)])
        for text in ("red words", "| Apple |", "2 of 3", "Traceback"):
            self.assertNotIn(text, without.text)
        d = read("jupyter.ipynb", "--notebook-outputs")
        outputs = {}
        for block in d.blocks:
            outputs.setdefault(block[2], []).append((block[0], block[4]))
        self.assertEqual(outputs["cell 2"][-1], ("code", "counting\nred words\n205"))
        self.assertEqual(outputs["cell 3"][-1], ("code", "'above'\n8\n'below'"))
        self.assertEqual(outputs["cell 4"][-1], ("table", "| Tree | Yield |\n| --- | --- |\n| Apple | 120 |"))
        self.assertEqual(outputs["cell 5"][-1], ("code", "The *best* tree is the apple."))
        self.assertEqual(outputs["cell 6"][-1], ("code", "2 of 3"))
        self.assertEqual(len(outputs["cell 7"]), 2)
        self.assertIn("Traceback (most recent call last)\n", outputs["cell 7"][-1][1])
        self.assertNotIn("[0;3", d.text)
        self.assertEqual(d.headings, [(1, "Yields"), (2, "结论")])
        d = read("others/nbformat-4.5.ipynb", "--notebook-outputs")
        self.assertNotIn("IPython.core.display.HTML", d.text)

    def test_a_schema_of_notebooks_is_no_notebook(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.json"
            path.write_text('{"properties": {"nbformat": {"type": "integer"}, "cells": {}}}', encoding="utf-8")
            self.assertIn('"format": "json"', Document(path).head)
            path.write_text('{"cells": [], "nbformat": 4}', encoding="utf-8")
            self.assertIn('"format": "notebook"', Document(path).head)

    def test_what_another_program_could_not_read_is_no_text(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.html"
            path.write_text("<h1>The \ufffdpond</h1><p>It is\ufffd not deep.", encoding="utf-8")
            d = Document(path)
            self.assertEqual([block[4] for block in d.blocks], ["The pond", "It is not deep."])

    def test_slides(self):
        for name in ("python-pptx.pptx", "odfpy.odp", "odfdo.odp"):
            d = self.read_all(name, name[-4:].strip("."))
            titles = SLIDES[:3] if name == "odfdo.odp" else SLIDES
            self.assertEqual(self.titles(d)[:len(titles)], titles, name)
            self.assertEqual(d.place_of("willow"), "slide 2", name)
            self.assertEqual(d.kind_of("willow"), "item", name)
            self.assertEqual(d.place_of("春天的蜂蜜颜色较浅。"), "slide 3", name)
            if len(titles) == 4:
                self.assertEqual(d.place_of("weather of last March"), "slide 2", name)
                self.assertEqual(d.tables, ["| Hive | Bees |\n| --- | --- |\n| North | 20000 |\n| South | 15000 |"], name)
        d = self.read_all("others/openoffice-ol.odp", "odp")
        self.assertEqual(d.headings, [(1, "OL")])
        self.assertEqual([(block[1], block[4].strip(" -")) for block in d.blocks if block[0] == "item"][:6],
                         [(1, "Eins"), (1, "Tsvey"), (2, "Dray"), (2, "Fir"), (1, "Finf"), (1, "Zeks")])
        d = self.read_all("others/powerpoint-tables.pptx", "pptx")
        self.assertEqual(d.tables[-1], "| a | b | c |\n| --- | --- | --- |\n| d | e | f |\n| g | h | i |")
        self.assertEqual(d.place_of("unladen swallows"), "slide 1")

    def test_a_slide_whose_title_is_empty_does_not_belong_to_the_one_before(self):
        d = read("python-pptx.pptx")
        self.assertEqual(self.titles(d)[-1], "5")
        self.assertEqual(d.place_of("Thanks to all bees."), "slide 5")

    def test_sheets_whose_columns_stand_under_each_other(self):
        d = self.read_all("xlsxwriter.xlsx", "xlsx")
        self.assertEqual(d.tables, ["| Tree | Yield |\n| --- | --- |\n| Apple | 120 |\n| Pear | 85 |",
                                    "| | 2022 | 2023 |\n| --- | --- | --- |\n| Apple | 110 | 120 |\n| Pear | 80 | 85 |"])
        self.assertEqual(d.place_of("| Apple | 120 |"), "sheet Offset, cell B3")
        d = self.read_all("odfdo.ods", "ods")
        self.assertIn("| Graz | The \"good\" plums | 40 | 2023-03-31 |", d.tables[0])
        d = self.read_all("others/kspread-pythagoras.ods", "ods")
        self.assertEqual([block[4] for block in d.blocks if block[2].startswith("sheet Sheet1, cell")], ["3", "4", "5", "7"])

    def test_pages_that_word_ended_are_counted_once(self):
        d = self.read_all("others/word-pages.docx", "docx")
        self.assertEqual([block[2] for block in d.blocks], ["page 1", "page 2", "page 3", "page 4", "page 6"])
        self.assertEqual(d.place_of("Page 6, Third page of section 2."), "page 6")

    def test_a_caption_does_not_grow_together_with_its_paragraph(self):
        d = self.read_all("odfpy.odt", "odt")
        self.assertEqual(d.headings, [(1, "Orchard report")])
        self.assertIn("The pond The orchard has two kinds of trees.", d.text)

    def test_rtf_of_doxygen(self):
        """Paragraphs have the style of their group, not that of the one before."""
        d = self.read_all("doxygen.rtf", "rtf")
        self.assertIn("Orchard report", self.titles(d))
        self.assertEqual(d.kind_of("The flow follows"), "paragraph")
        self.assertEqual(d.tables, ["| Tree | Planted | Yield |\n| --- | --- | --- |\n| Apple | 1998 | 120 |\n| Pear | 2004 | 85 |"])

    def test_tables_that_are_text(self):
        with open(DATA / "source/sales.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        for name, separator in (("csvkit.csv", ";"), ("sqlite.csv", ","), ("libreoffice.csv", ","), ("csvkit.tsv", "\t"),
                                ("sqlite.tsv", "\t"), ("libreoffice.tsv", "\t")):
            d = self.read_all(name, name[-3:])
            self.assertEqual([block[0] for block in d.blocks], ["table"], name)
            quoting = csv.QUOTE_NONE if name == "sqlite.tsv" else csv.QUOTE_MINIMAL
            self.assertEqual(list(csv.reader(d.tables[0].split("\n"), delimiter=separator, quoting=quoting)), rows, name)
        d = self.read_all("others/excel-education.csv", "csv")
        self.assertEqual([block[0] for block in d.blocks], ["other", "paragraph", "table"])
        self.assertTrue(d.tables[0].startswith("State Name,State Abbreviate,"))
        d = self.read_all("others/agate-cr.csv", "csv")  # its lines end with "\r" alone
        self.assertEqual(d.tables[0].split("\n")[0], "number,text,boolean,date,datetime,timedelta")
        self.assertEqual(len(d.tables[0].split("\n")), 4)

    def test_json(self):
        with open(DATA / "source/sales.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for name in ("csvkit.json", "sqlite.json", "jq.json", "csvkit.jsonl", "sqlite.jsonl", "jq.jsonl"):
            d = self.read_all(name, name.rsplit(".", 1)[1])
            for number, row in enumerate(rows, 1):
                for key, value in row.items():
                    self.assertIn(f"{key}: {value}", d.text, name)
                if name != "jq.json":
                    self.assertEqual(d.place_of(row["City"]), f"record {number}", name)

    def test_mail(self):
        d = self.read_all("perl-mime.eml", "mail")
        self.assertEqual(d.headings, [(1, "Der Bericht über 苹果"), (2, "sales.csv")])
        self.assertIn("Grüße vom Teich.", d.text)
        self.assertIn('北京,Pears,85', d.tables[0])
        d = self.read_all("git.mbox", "mbox")
        self.assertEqual(d.headings, [(1, "[PATCH 1/2] trees: count them"), (1, "[PATCH 2/2] pond: 池塘不深")])
        self.assertIn("From: Ädä Example <ada@example.org>", d.text)
        self.assertEqual(d.place_of("+pond: 池塘不深"), "message 2")
        d = self.read_all("formail.mbox", "mbox")
        self.assertEqual(d.headings, [(1, "Der Bericht über 苹果"), (2, "sales.csv"), (1, "[PATCH] pond: 池塘不深")])
        self.assertEqual(d.place_of('北京,Pears,85'), "message 1, sales.csv")
        self.assertEqual(d.place_of("The pond is not deep."), "message 2")
        d = Document(DATA / "git.eml")
        self.assertEqual(self.titles(d), ["[PATCH] pond: 池塘不深"])
        d = self.read_all("others/gtube.eml", "mail")
        self.assertEqual(d.headings, [(1, "Test spam mail (GTUBE)")])
        self.assertIn("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X", d.text)

    def test_files_in_files_lie_in_the_places_of_these(self):
        inner, outer = io.BytesIO(), io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            archive.write(DATA / "reportlab.pdf", "deep/report.pdf")
        with zipfile.ZipFile(outer, "w") as archive:
            archive.writestr("inner.zip", inner.getvalue())
            archive.write(DATA / "git.mbox", "git.mbox")
        message = email.message.EmailMessage()
        message["Subject"] = "Archives"
        message.set_content("They are attached.")
        message.add_attachment(outer.getvalue(), maintype="application", subtype="zip", filename="all.zip")
        with tempfile.TemporaryDirectory() as folder:
            box = mailbox.mbox(pathlib.Path(folder) / "x.mbox")
            box.add(message)
            message = email.message.EmailMessage()
            message["Subject"] = "Nothing"
            message.set_content("Nothing is attached.")
            box.add(message)
            box.close()
            d = Document(pathlib.Path(folder) / "x.mbox")
        self.assertEqual(d.place_of("They are attached."), "message 1")
        self.assertEqual(d.place_of("2. Irrigation"), "message 1, all.zip, inner.zip, deep/report.pdf, page 2")
        self.assertEqual(d.place_of("+pond: 池塘不深"), "message 1, all.zip, git.mbox, message 2")
        self.assertEqual(d.place_of("Nothing is attached."), "message 2")

    def test_a_mail_that_is_utf_8_and_says_it_is_not(self):
        message = email.message.EmailMessage()
        message["Subject"] = "x"
        head = message.as_bytes() + b'Content-Type: text/plain; charset="GB2312"\nContent-Transfer-Encoding: 8bit\n\n'
        with tempfile.TemporaryDirectory() as folder:
            for encoding in ("utf-8", "gb2312"):
                path = pathlib.Path(folder) / "x.eml"
                path.write_bytes(head.replace(b"\n\n", b"\n", 1) + "果园里有苹果树和梨树。\n".encode(encoding))
                self.assertIn("果园里有苹果树和梨树。", Document(path).text, encoding)

    def test_books_and_pages(self):
        d = self.read_all("ebooklib.epub", "epub")
        self.assertEqual(d.headings, [(1, "Trees and yields"), (1, "中文说明")])
        self.assertEqual(d.place_of("果园里有苹果树和梨树。"), "chapter 2")
        d = self.read_all("docutils.html", "html")
        self.assertEqual(self.titles(d), ["Orchard report"] * 2 + REPORT)
        self.assertEqual(d.kind_of("area * speed"), "code")
        self.assertEqual(d.tables, ["| Tree | Planted | Yield |\n| --- | --- | --- |\n| Apple | 1998 | 120 |\n| Pear | 2004 | 85 |"])
        d = self.read_all("reportlab.pdf", "pdf")
        self.assertIn('"title":"Orchard report"', d.head)
        self.assertEqual(d.place_of("The pond is not deep."), "page 2")
        d = self.read_all("fpdf2.pdf", "pdf")
        self.assertIn('"title":"Orchard report"', d.head)
        self.assertEqual(d.text.count("The orchard has two kinds of trees."), 12)
        self.assertEqual(d.place_of("The pond is not deep."), "page 2")

    def test_subtitles(self):
        d = self.read_all("webvtt.srt", "srt")
        self.assertEqual(d.text, "Bees leave the hive at ten degrees. They look for willow. 春天的蜂蜜颜色较浅。")
        self.assertEqual(d.place_of("Bees"), "00:00:01")

    def test_captions_that_roll_up_are_said_once(self):
        d = self.read_all("others/youtube-dl.vtt", "vtt")
        self.assertEqual(d.text, "yeah what this will happen is I'm telling")

    def test_what_is_said_twice_stays_twice(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.vtt"
            path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ada>No!\n\n00:02.500 --> 00:03.000\nNo! 2 &lt; 3 &amp; so on\n\n"
                            "00:04.000 --> 00:05.000\nNo! 2 &lt; 3 &amp; so on\n", encoding="utf-8")
            self.assertEqual(Document(path).text, "No! No! 2 < 3 & so on No! 2 < 3 & so on")


if __name__ == "__main__":
    reading.take_programs()
    unittest.main()
