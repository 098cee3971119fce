#!/usr/bin/env python3
"""Makes the files that the readers are tested with, by other people's programs, from source/:

    /usr/bin/python3 make_files.py

Made with pandoc 2.17.1.1, LibreOffice 7.4.7, python3-docx 0.8.11, python3-openpyxl 3.0.9, all of
Debian 12; and, if PYTHON names one that has them, pysubs2 1.8.1, srt 3.5.3 and webvtt-py 0.6.0 of PyPI.
The text of all is from this project.
"""
import csv
import os
import pathlib
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE / "source"
ENVIRONMENT = {**os.environ, "SOURCE_DATE_EPOCH": "1680652800"}


def pandoc(source, name, *options):
    subprocess.run(["pandoc", "-s", *options, "-o", HERE / name, SOURCE / source], check=True, env=ENVIRONMENT)


def office(source, name, kind, *options):
    """A file in another format, by LibreOffice."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", *options,
                        "--convert-to", kind, "--outdir", folder, source], check=True, stdout=subprocess.DEVNULL)
        made = next(pathlib.Path(folder).glob(f"{source.stem}.*"))
        shutil.copy(made, HERE / name)


def python_docx():
    import docx
    document = docx.Document()
    document.add_heading("Orchard report", 0)
    document.add_paragraph("The orchard has two kinds of trees.")
    document.add_heading("Trees and yields", 1)
    table = document.add_table(rows=0, cols=2)
    for row in (("Tree", "Yield"), ("Apple", "120"), ("Pear", "85")):
        cells = table.add_row().cells
        cells[0].text, cells[1].text = row
    document.add_paragraph("Apples are picked in September.", style="List Bullet")
    document.add_heading("中文说明", 1)
    document.add_paragraph("果园里有苹果树和梨树。")
    document.core_properties.author = "Ada Example"
    document.save(HERE / "python-docx.docx")


def openpyxl_book():
    import datetime
    import openpyxl
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sales"
    sheet["A1"] = "Sales of the year"
    with open(SOURCE / "sales.csv", newline="", encoding="utf-8") as rows:
        for i, row in enumerate(csv.reader(rows)):
            if i:
                row[2] = int(row[2])
                row[3] = datetime.date.fromisoformat(row[3])
            for k, value in enumerate(row):
                sheet.cell(row=3 + i, column=2 + k, value=value)
    other = book.create_sheet("空 & more")
    other.append(["ok", True, 0.1])
    book.save(HERE / "openpyxl.xlsx")


SUBTITLES = """
import datetime, pysubs2, srt, sys, webvtt
folder = sys.argv[1] + "/"
cues = [(1.0, 3.5, "Bees leave the hive\\nat ten degrees."), (65.25, 68.0, "They look for willow."),
        (3661.5, 3664.0, "春天的蜂蜜颜色较浅。")]
lines = [srt.Subtitle(i + 1, datetime.timedelta(seconds=a), datetime.timedelta(seconds=b), text)
         for i, (a, b, text) in enumerate(cues)]
open(folder + "srt.srt", "w", encoding="utf-8").write(srt.compose(lines))
file = pysubs2.SSAFile()
for begin, end, text in cues:
    file.append(pysubs2.SSAEvent(start=int(begin * 1000), end=int(end * 1000),
                                 text="{\\\\i1}" + text.replace("\\n", "\\\\N") + "{\\\\i0}"))
file.save(folder + "pysubs2.srt")
file.save(folder + "pysubs2.vtt")
webvtt.from_srt(folder + "srt.srt").save(folder + "webvtt.vtt")
"""


def subtitles(python):
    subprocess.run([python, "-c", SUBTITLES, HERE], check=True)


def main():
    if os.environ.get("PYTHON"):
        subtitles(os.environ["PYTHON"])
    python_docx()
    openpyxl_book()
    for kind in ("docx", "odt", "epub", "rtf", "rst", "org", "latex", "ipynb", "html"):
        pandoc("report.md", f"pandoc.{kind}", *(["--metadata=lang:en"] if kind == "epub" else []))
    pandoc("report.md", "pandoc.adoc", "-t", "asciidoc")
    pandoc("slides.md", "pandoc.pptx")
    office(HERE / "pandoc.docx", "libreoffice.docx", "docx:Office Open XML Text")
    office(HERE / "pandoc.docx", "libreoffice.odt", "odt")
    office(HERE / "python-docx.docx", "libreoffice-2.odt", "odt")
    office(HERE / "pandoc.docx", "libreoffice.rtf", "rtf")
    office(HERE / "python-docx.docx", "libreoffice-2.rtf", "rtf")
    office(HERE / "pandoc.docx", "libreoffice.pdf", "pdf")
    office(HERE / "pandoc.docx", "libreoffice.epub", "epub")
    office(HERE / "pandoc.docx", "libreoffice.html", "html:HTML (StarWriter)")
    office(HERE / "pandoc.pptx", "libreoffice.odp", "odp")
    office(HERE / "libreoffice.odp", "libreoffice.pptx", "pptx")
    utf8 = "--infilter=Text - txt - csv (StarCalc):44,34,76,1"
    for kind in ("xlsx", "ods"):
        office(SOURCE / "sales.csv", f"libreoffice.{kind}", kind, utf8)
    office(HERE / "openpyxl.xlsx", "libreoffice-2.ods", "ods")
    office(HERE / "openpyxl.xlsx", "libreoffice-2.xlsx", "xlsx")


if __name__ == "__main__":
    main()
