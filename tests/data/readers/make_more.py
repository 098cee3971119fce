#!/usr/bin/env python3
"""Makes further files that the readers are tested with, each by a program of its own, from source/:

    VENV/bin/python make_more.py DOXYGEN PERL_LIBRARY

VENV has, of PyPI, docutils 0.22.4, sphinx 9.0.4, nbformat 5.11.1, nbconvert 7.17.2, ipykernel 7.4.0,
jupytext 1.19.6, odfpy 1.4.1, odfdo 3.27.3, python-pptx 1.0.2, xlsxwriter 3.3.1, ebooklib 0.20, csvkit 2.2.0,
reportlab 5.1.0, fpdf2 2.8.9, webvtt-py 0.6.0. DOXYGEN is doxygen 1.9.4 and PERL_LIBRARY the folder of MIME::Entity 5.510 and Mail::Internet 2.21,
of Debian 12, as are pandoc 2.17.1.1, LibreOffice 7.4.7, sqlite3 3.40.1, jq 1.6, procmail 3.22 and git 2.39.5. The text of
all is from this project.
"""
import csv
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE / "source"
BIN = pathlib.Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "SOURCE_DATE_EPOCH": "1680652800", "TZ": "UTC",
               "GIT_COMMITTER_DATE": "2023-04-05T10:00:00Z"}


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, env=ENVIRONMENT, **options)


def output(name, *command):
    with open(HERE / name, "wb") as out:
        run(*command, stdout=out)


def latex_and_html():
    rst = HERE / "pandoc.rst"
    run(sys.executable, "-m", "docutils", "--writer=latex", "--no-generator", "--quiet", rst, HERE / "docutils.tex")
    run(sys.executable, "-m", "docutils", "--writer=latex", "--no-generator", "--output-encoding=latin-1", SOURCE / "orte.rst",
        HERE / "docutils-latin1.tex")
    run(sys.executable, "-m", "docutils", "--writer=html5", "--no-generator", "--embed-stylesheet", "--quiet", rst,
        HERE / "docutils.html")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copy(rst, folder / "index.rst")
        (folder / "conf.py").write_text('project = "Orchard"\nauthor = "Ada Example"\nlatex_engine = "xelatex"\n')
        run(BIN / "sphinx-build", "-q", "-b", "latex", folder, folder / "out")
        shutil.copy(folder / "out" / "orchard.tex", HERE / "sphinx.tex")
        run(BIN / "sphinx-quickstart", "-q", "-p", "Orchard", "-a", "Ada Example", "-v", "1", "--no-batchfile", "--no-makefile",
            folder / "new")
        shutil.copy(folder / "new" / "index.rst", HERE / "sphinx.rst")
    run(BIN / "jupyter-nbconvert", "--to", "latex", "--output-dir", HERE, "--output", "nbconvert", HERE / "pandoc.ipynb")
    nbconvert_asciidoc()


def nbconvert_asciidoc():
    output("nbconvert.adoc", BIN / "jupyter-nbconvert", "--to", "asciidoc", "--stdout", HERE / "pandoc.ipynb")


def doxygen(program):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        report = (SOURCE / "report.md").read_text(encoding="utf-8").split("---\n", 2)[2]
        (folder / "report.md").write_text(report, encoding="utf-8")
        (folder / "Doxyfile").write_text("PROJECT_NAME = Orchard\nINPUT = report.md\nGENERATE_HTML = NO\n"
                                         "GENERATE_RTF = YES\nGENERATE_LATEX = YES\nTOC_INCLUDE_HEADINGS = 0\n")
        run(program, "-q", "Doxyfile", cwd=folder)
        shutil.copy(folder / "latex" / "md_report.tex", HERE / "doxygen.tex")
        shutil.copy(folder / "rtf" / "refman.rtf", HERE / "doxygen.rtf")


def notebooks():
    import nbformat
    from nbformat import v4
    run(BIN / "jupytext", "--to", "ipynb", "--output", HERE / "jupytext.ipynb", SOURCE / "report.md")
    notebook = v4.new_notebook(cells=[
        v4.new_markdown_cell("# Yields\n\nOf two trees, *counted*."),
        v4.new_code_cell("yields = {'Apple': 120, 'Pear': 85}\nprint('counting')\nprint('\\x1b[31mred\\x1b[0m words')\nsum(yields.values())"),
        v4.new_code_cell("from IPython.display import HTML, Markdown, display\ndisplay('above', 8)\ndisplay('below')"),
        v4.new_code_cell("HTML('<table><tr><th>Tree</th><th>Yield</th></tr><tr><td>Apple</td><td>120</td></tr></table>')"),
        v4.new_code_cell("Markdown('The *best* tree is the apple.')"),
        v4.new_code_cell("for i in range(3):\n    print(f'\\r{i} of 3', end='')"),
        v4.new_code_cell("1 / 0"),
        v4.new_markdown_cell("## 结论\n\n苹果树产量最高。")])
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "jupyter.ipynb"
        nbformat.write(notebook, path)
        run(BIN / "jupyter-nbconvert", "--to", "notebook", "--execute", "--allow-errors", "--output-dir", HERE, path)


SLIDES = [("Bees in spring", [], None), ("First flights", ["Bees leave the hive at ten degrees.", "They look for willow and hazel."],
                                         "Mention the weather of last March."), ("蜂蜜", ["春天的蜂蜜颜色较浅。"], None), ("Numbers", None, None)]
HIVES = [("Hive", "Bees"), ("North", "20000"), ("South", "15000")]


def python_pptx():
    import pptx
    from pptx.util import Cm
    deck = pptx.Presentation()
    for title, lines, notes in SLIDES:
        slide = deck.slides.add_slide(deck.slide_layouts[0 if lines == [] else 5 if lines is None else 1])
        slide.shapes.title.text = title
        if lines:
            slide.placeholders[1].text_frame.text = "\n".join(lines)
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
        if lines is None:
            table = slide.shapes.add_table(3, 2, Cm(2), Cm(5), Cm(10), Cm(5)).table
            for i, row in enumerate(HIVES):
                for k, cell in enumerate(row):
                    table.cell(i, k).text = cell
    # A title that was left empty.
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.add_textbox(Cm(2), Cm(5), Cm(10), Cm(5)).text_frame.text = "Thanks to all bees."
    deck.save(HERE / "python-pptx.pptx")


def odfpy():
    from odf.draw import Frame, Page, TextBox
    from odf.namespaces import PRESENTATIONNS
    from odf.opendocument import OpenDocumentPresentation
    from odf.presentation import Notes
    from odf.style import MasterPage, PageLayout
    from odf.table import Table, TableCell, TableRow
    from odf.text import List, ListItem, P
    deck = OpenDocumentPresentation()
    layout = PageLayout(name="Layout")
    master = MasterPage(name="Master", pagelayoutname=layout)
    deck.automaticstyles.addElement(layout)
    deck.masterstyles.addElement(master)

    def frame(parent, name=None):
        element = Frame(width="20cm", height="3cm", x="2cm", y="2cm")
        if name:
            element.setAttrNS(PRESENTATIONNS, "class", name)
        parent.addElement(element)
        return element

    def box(parent, name):
        element = TextBox()
        frame(parent, name).addElement(element)
        return element
    for number, (title, lines, notes) in enumerate(SLIDES, 1):
        page = Page(name=f"page{number}", masterpagename=master)
        deck.presentation.addElement(page)
        box(page, "title").addElement(P(text=title))
        if lines:
            bullets = List()
            box(page, "outline").addElement(bullets)
            for line in lines:
                item = ListItem()
                item.addElement(P(text=line))
                bullets.addElement(item)
        if notes:
            element = Notes()
            page.addElement(element)
            box(element, "notes").addElement(P(text=notes))
        if lines is None:
            table = Table()
            frame(page).addElement(table)
            for row in HIVES:
                line = TableRow()
                table.addElement(line)
                for cell in row:
                    element = TableCell()
                    element.addElement(P(text=cell))
                    line.addElement(element)
    deck.save(HERE / "odfpy.odp")


def odfpy_text():
    """A picture's caption: a text box that is anchored in a paragraph."""
    from odf.draw import Frame, TextBox
    from odf.opendocument import OpenDocumentText
    from odf.text import H, P
    text = OpenDocumentText()
    text.text.addElement(H(outlinelevel=1, text="Orchard report"))
    paragraph = P()
    frame = Frame(width="5cm", height="3cm", anchortype="paragraph")
    box = TextBox()
    box.addElement(P(text="The pond"))
    frame.addElement(box)
    paragraph.addElement(frame)
    paragraph.addText("The orchard has two kinds of trees.")
    text.text.addElement(paragraph)
    text.save(HERE / "odfpy.odt")


def odfdo():
    import odfdo
    deck = odfdo.Document("presentation")
    deck.body.clear()
    for number, (title, lines, _) in enumerate(SLIDES[:3], 1):
        page = odfdo.DrawPage(f"page{number}", name=title)
        page.append(odfdo.Frame.text_frame(title, size=("20cm", "3cm"), position=("2cm", "1cm"), presentation_class="title"))
        if lines:
            page.append(odfdo.Frame.text_frame(odfdo.List(lines), size=("20cm", "9cm"), position=("2cm", "5cm"),
                                               presentation_class="outline"))
        deck.body.append(page)
    deck.save(HERE / "odfdo.odp")
    book = odfdo.Document("spreadsheet")
    book.body.clear()
    table = odfdo.Table("sales")
    with open(SOURCE / "sales.csv", newline="", encoding="utf-8") as rows:
        for row in csv.reader(rows):
            table.append_row(odfdo.Row())
            table.set_row_values(table.height - 1, row)
    book.body.append(table)
    book.save(HERE / "odfdo.ods")


def xlsxwriter_book():
    import datetime
    import xlsxwriter
    book = xlsxwriter.Workbook(HERE / "xlsxwriter.xlsx")
    book.set_properties({"author": "Ada Example", "created": datetime.datetime(2023, 4, 5)})
    sheet = book.add_worksheet("Offset")
    for i, row in enumerate([("Tree", "Yield"), ("Apple", 120), ("Pear", 85)]):
        sheet.write_row(2 + i, 1, row)
    cross = book.add_worksheet("Cross")
    for i, row in enumerate([("", "2022", "2023"), ("Apple", 110, 120), ("Pear", 80, 85)]):
        cross.write_row(i, 0, row)
    book.close()


def ebooklib_book():
    from ebooklib import epub
    book = epub.EpubBook()
    book.set_identifier("orchard")
    book.set_title("Orchard report")
    book.set_language("en")
    book.add_author("Ada Example")
    chapters = []
    for name, title, text in (("one", "Trees and yields", "The orchard has two kinds of trees."),
                              ("two", "中文说明", "果园里有苹果树和梨树。")):
        chapter = epub.EpubHtml(title=title, file_name=f"{name}.xhtml", lang="en")
        chapter.content = f"<h1>{title}</h1><p>{text}</p>"
        book.add_item(chapter)
        chapters.append(chapter)
    book.toc = chapters
    book.spine = ["nav", *chapters]
    book.add_item(epub.EpubNcx())
    book.add_item(epub.EpubNav())
    epub.write_epub(str(HERE / "ebooklib.epub"), book)


def tables():
    sales = SOURCE / "sales.csv"
    output("csvkit.csv", BIN / "csvformat", "-D", ";", "-U", "1", sales)
    output("csvkit.tsv", BIN / "csvformat", "-T", sales)
    output("csvkit.json", BIN / "csvjson", "-I", sales)
    output("csvkit.jsonl", BIN / "csvjson", "-I", "--stream", sales)
    load = f".import --csv {sales} sales"
    for mode, name in (("csv", "sqlite.csv"), ("tabs", "sqlite.tsv"), ("json", "sqlite.json")):
        output(name, "sqlite3", ":memory:", "-cmd", load, "-cmd", ".headers on", "-cmd", f".mode {mode}", "SELECT * FROM sales")
    output("sqlite.jsonl", "sqlite3", ":memory:", "-cmd", load,
           "SELECT json_object('City', City, 'Product', Product, 'Sold', Sold, 'Date', Date) FROM sales")
    output("jq.json", "jq", "{sales: .}", HERE / "csvkit.json")
    output("jq.jsonl", "jq", "-c", ".[]", HERE / "csvkit.json")
    with tempfile.TemporaryDirectory() as folder:
        for separator, name in ((44, "libreoffice.csv"), (9, "libreoffice.tsv")):
            run("soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to",
                f"csv:Text - txt - csv (StarCalc):{separator},34,76,1", "--outdir", folder, HERE / "libreoffice.ods",
                stdout=subprocess.DEVNULL)
            shutil.copy(pathlib.Path(folder) / "libreoffice.csv", HERE / name)


def mails(perl_library):
    with tempfile.TemporaryDirectory() as folder:
        def git(*arguments, **options):
            return run("git", "-C", folder, "-c", "user.name=Ädä Example", "-c", "user.email=ada@example.org", *arguments, **options)
        git("init", "-q")
        for name, message in (("trees.txt", "trees: count them\n\nThe orchard has two kinds of trees."),
                              ("pond.txt", "pond: 池塘不深\n\nThe pond is not deep.")):
            (pathlib.Path(folder) / name).write_text(message + "\n", encoding="utf-8")
            git("add", name)
            git("commit", "-q", "--date=2023-04-05T10:00:00Z", "-m", message)
        output("git.eml", "git", "-C", folder, "format-patch", "--stdout", "--no-signature", "-1")
        output("git.mbox", "git", "-C", folder, "format-patch", "--stdout", "--no-signature", "--root", "HEAD")
    output("perl-mime.eml", "perl", "-I", perl_library, "-MMIME::Entity", "-Mutf8", "-MEncode", "-e", r"""
my $m = MIME::Entity->build(From => 'Ada <ada@example.org>', To => 'ben@example.org', Type => 'multipart/mixed',
    Boundary => 'orchard-1', Date => 'Wed, 05 Apr 2023 10:00:00 +0000', 'X-Mailer' => undef,
    Subject => Encode::encode('MIME-Header', 'Der Bericht über 苹果'));
$m->attach(Type => 'text/plain', Charset => 'iso-8859-1', Encoding => 'quoted-printable',
    Data => Encode::encode('latin1', "Grüße vom Teich.\n"));
$m->attach(Path => $ARGV[0], Type => 'text/csv', Encoding => 'base64', Disposition => 'attachment');
$m->print(\*STDOUT);""", SOURCE / "sales.csv")


def formail_box():
    """A mail with an attachment and a patch, as procmail's formail appends them to a mailbox."""
    box = b""
    for name in ("perl-mime.eml", "git.eml"):
        with open(HERE / name, "rb") as mail:
            box += run("formail", stdin=mail, stdout=subprocess.PIPE).stdout
    (HERE / "formail.mbox").write_bytes(box)


def fpdf2_pdf():
    import datetime

    from fpdf import FPDF
    page = FPDF()
    page.set_creation_date(datetime.datetime(2023, 4, 5, tzinfo=datetime.timezone.utc))
    page.set_title("Orchard report")
    page.set_author("Ada Example")
    for title, text in (("1 Trees and yields", "The orchard has two kinds of trees. " * 12), ("2 Irrigation", "The pond is not deep.")):
        page.add_page()
        page.set_font("Times", "B", 18)
        page.cell(text=title, new_x="LMARGIN", new_y="NEXT")
        page.set_font("Times", size=12)
        page.multi_cell(0, text=text)
    page.output(str(HERE / "fpdf2.pdf"))


def reportlab_pdf():
    from reportlab.pdfgen.canvas import Canvas
    page = Canvas(str(HERE / "reportlab.pdf"), invariant=1)
    page.setTitle("Orchard report")
    for title, line in (("1. Trees and yields", "The orchard has two kinds of trees."), ("2. Irrigation", "The pond is not deep.")):
        page.setFont("Helvetica-Bold", 16)
        page.drawString(72, 760, title)
        page.setFont("Helvetica", 11)
        page.drawString(72, 730, line)
        page.showPage()
    page.save()


def subtitles():
    import webvtt
    webvtt.from_srt(str(HERE / "srt.srt")).save_as_srt(str(HERE / "webvtt.srt"))


def main():
    doxygen(sys.argv[1])
    latex_and_html()
    notebooks()
    python_pptx()
    odfpy()
    odfpy_text()
    odfdo()
    xlsxwriter_book()
    ebooklib_book()
    tables()
    mails(sys.argv[2])
    formail_box()
    reportlab_pdf()
    fpdf2_pdf()
    subtitles()


if __name__ == "__main__":
    main()
