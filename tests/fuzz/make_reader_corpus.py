#!/usr/bin/env python3
"""Writes the first inputs of the fuzz targets for the readers, from the files of ../data/readers and from what
stands here: small, of every kind, for the fuzzer (and replay.c) to damage.

Made with Python 3.11 and pdftotext 22.12.0, from this folder:

    python3 make_reader_corpus.py
"""
import gzip
import io
import pathlib
import subprocess
import tarfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data" / "readers"
LARGEST = 12000  # bytes of an entry that is taken from an archive


def write(target, name, content, choice=0):
    """choice: the number of the format among those of the target."""
    folder = HERE / "corpus" / f"fuzz_{target}"
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        content = content.encode()
    (folder / name).write_bytes(bytes([choice]) + content)


def entries(name):
    """The entries of an archive as the targets take them."""
    out = b""
    with zipfile.ZipFile(DATA / name) as archive:
        for entry in archive.namelist():
            content = archive.read(entry)
            if entry.endswith((".xml", ".rels", ".opf", ".xhtml", ".html")) and len(content) <= LARGEST:
                out += b"--- " + entry.encode() + b"\n" + content + b"\n"
    return out


def packages():
    for name, target, choice in (("python-docx.docx", "docx", 0), ("libreoffice.docx", "docx", 0),
                                 ("pandoc.docx", "docx", 0), ("pandoc.epub", "epub", 0),
                                 ("libreoffice.epub", "epub", 0), ("pandoc.odt", "odf", 0),
                                 ("libreoffice.odp", "odf", 1), ("libreoffice.ods", "odf", 2),
                                 ("libreoffice.pptx", "pptx", 0), ("pandoc.pptx", "pptx", 0),
                                 ("openpyxl.xlsx", "xlsx", 0), ("libreoffice-2.xlsx", "xlsx", 0)):
        write(target, name, entries(name), choice)
    sheet = '<c r="XFD1048576"><v>1</v></c>'
    write("xlsx", "far-cells", entries("openpyxl.xlsx").replace(b"<sheetData>", b"<sheetData>" + (
        f'<row r="1048576">{sheet}</row>').encode()))
    write("odf", "repeated", '--- content.xml\n<d><body><spreadsheet><table name="t"><table-row number-rows-repeated='
          '"1048576"><table-cell number-columns-repeated="16384"><p>x</p></table-cell></table-row></table>'
          '</spreadsheet></body></d>', 2)


def texts():
    for name, target in (("pandoc.adoc", "asciidoc"), ("pandoc.org", "org"), ("pandoc.rst", "rst"),
                         ("pandoc.latex", "latex"), ("pandoc.rtf", "rtf"), ("libreoffice-2.rtf", "rtf"),
                         ("pandoc.ipynb", "notebook"), ("libreoffice.html", "html"), ("source/sales.csv", "csv"),
                         ("docutils.tex", "latex"), ("doxygen.tex", "latex"), ("others/go-org-headlines.org", "org"),
                         ("jupyter.ipynb", "notebook"), ("doxygen.rtf", "rtf"), ("others/excel-education.csv", "csv")):
        write(target, name.split("/")[-1], (DATA / name).read_bytes())
    write("subtitles", "youtube-dl.vtt", (DATA / "others/youtube-dl.vtt").read_bytes(), 1)
    write("html", "parts", "<!doctype html><html lang=en><meta charset=gb2312><title>\xc4\xe3</title><nav>no</nav><main>"
          "<h1>A</h1><p>b<br>c<ul><li>d<ol start=3><li>e</ol></ul><table><tr><th>f<th>g<tr><td colspan=9>h<td>i</table>"
          "<pre>j\n k</pre><blockquote>l</blockquote><math><annotation encoding='application/x-tex'>m</annotation>"
          "</math><img class=math alt='n'></main>".encode("latin1"))
    write("html", "layout", "<body><table><tr><td><table><tr><td>a<td>b</table><td>c</table><div hidden>d</div><b><p>e")
    write("rst", "tables", "Title\n=====\n\n+---+---+\n| a | b |\n+===+===+\n| c | d |\n+---+---+\n\nText::\n\n    code\n\n"
          ".. note::\n   x\n\n.. comment\n\n#. item\n\n>>> python\n")
    write("asciidoc", "blocks", "Title\n-----\n\n[source,c]\n----\nint x;\n----\n\n.Name\n|===\n|a |b\n\n|c |d\n|===\n\n"
          "term:: text\n\n____\nquote\n____\n\n* a\n** b\n\n----\nnever closed\n")
    write("org", "blocks", "#+TITLE: x\n* A :tag:\n:PROPERTIES:\n:END:\n#+begin_src c\nx\n| a | b |\n|---+---|\n| c | d |\n- i\n  j\n")
    write("latex", "parts", "\\title{T}\\begin{document}\n\\section*[s]{A $x_{1}$}\\label{a}\n\\begin{itemize}\n\\item a\n"
          "\\end{itemize}\n\\[\nx\n\\]\n\\begin{verbatim}\n\\section{no}\n\\end{verbatim}\n$$ y\n\n\\begin{tabular}\n")
    write("latex", "titles", "% -*- coding: latin-1 -*-\n\\section{\\'{\\i} \\\"o \\c{c} \\^{} \\LaTeX{} \\footnote{n {m}} \\(x\\) % c\n"
          "  \\label{l}}\n\\begin{frame}[t]<1>{S}\n\\begin{lemma}[a]{b} w\n\\bibitem x\n\\clearpage\\section{\xe9}\n".encode("latin1"))
    write("org", "titles", "* TODO [#A] [[a][b]] =c= *d* [[e]] [[f :t:\n: x\n#+k: v\ny\n# z\n")
    write("rtf", "parts", "{\\rtf1\\ansicpg936{\\info{\\title T}}{\\stylesheet{\\s1\\outlinelevel0 heading 1;}}\\pard\\s1 A\\par"
          "\\pard\\'c4\\'e3\\u20320?\\uc2\\u-257ab\\par\\trowd\\intbl a\\cell b\\cell\\row\\pard{\\*\\footnote n}\\bin3 }}}x}")
    write("csv", "quotes", 'Title\n\na;"b ""c""\nd";e\n1;2;3\n"never closed;\n')
    write("csv", "tabs", "a\tb\nc\td\n", 1)
    write("json", "record", '{"a": [1, "x", {"b": null, "c": [true, [2.5]]}], "\\u4f60": "\\n\\n  y"}')
    write("json", "list", '[{"a": 1}, {"b": "c"}, [], "d"]')
    write("json", "lines", '{"a": 1}\nno json\n\n[1, 2]\n', 1)
    write("notebook", "version-3", '{"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "heading", "level": 2, "source": '
          '"A"}, {"cell_type": "code", "input": ["x\\n", "y"], "outputs": [{"text": "z"}]}]}]}')
    write("subtitles", "srt", "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i>\nthere.\n\n2\n00:01:00,000 --> 00:01:02,000\n{\\an8}x\n")
    write("subtitles", "vtt", "WEBVTT\n\nNOTE x\ny\n\nSTYLE\n::cue {}\n\nid\n00:01.000 --> 00:02.000 line:0\n<v Ann>Hi!\n", 1)


def mail():
    write("mail", "parts", "From: =?utf-8?B?5L2g?= <a@b>\nSubject: =?gb2312?Q?=C4=E3?=\n =?utf-8?q?_x?=\nContent-Type: multipart/mixed;"
          "\n boundary=\"B\"\n\n--B\nContent-Type: multipart/alternative; boundary=C\n\n--C\nContent-Type: text/plain; charset=latin1\n"
          "Content-Transfer-Encoding: quoted-printable\n\ncaf=E9 =\nx\n> q\n-- \ns\n--C\nContent-Type: text/html\n\n<p>h\n--C--\n--B\n"
          "Content-Disposition: attachment; filename*0*=utf-8''a%20; filename*1=b.txt\nContent-Transfer-Encoding: base64\n\n"
          "aGVsbG8=\n--B\nContent-Type: message/rfc822\n\nSubject: in\n\ninner\n--B--\n")
    write("mail", "mbox", "From a@b Mon\nSubject: one\n\ntext\n>From x\n\nFrom c@d Tue\nSubject: two\n\nmore\n", 1)


def code():
    samples = [  # in the order of the target's formats
        "/* c */\nstatic int\nf(int a)\n{\n    return '{';\n}\n\nstruct s {\n    int x;\n};\nint v = 1;\n",
        "class A {\n  /** doc */\n  public void m() throws E {\n    if (x) { y(\"}\"); }\n  }\n}\n",
        "export const f = async (x) => {\n  return `${x}\n`;\n};\nfunction* g() {}\n",
        "func (r *T) Name(a int) error {\n}\ntype X int\n", "impl<T> A for B<T> {\n    pub(crate) fn f<'a>(&self) {}\n}\n",
        "<?php\nclass A {\n  function f() {}\n}\n", "package A;\nsub f {\n}\n1;\n", "f() {\n  :\n}\nfunction g {\n}\n",
        "f <- function(x) {\n  x\n}\n", "@d\ndef f(a,\n      b):\n    '''x\n    y'''\n    class B:\n        pass\nx = 1\n",
        "module A\n  def f\n  end\nend\n", "function f(x)\n  #= c =#\nend\n", "local function f()\nend\n", "data A = B\nf x = y\n",
        "CREATE OR REPLACE FUNCTION f() AS\n-- x\nSELECT 'a''b';\n"]
    for i, sample in enumerate(samples):
        write("code", f"language-{i:02}", sample, i)


def archives():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", "text")
        archive.writestr("../../c.md", "# out")
        archive.writestr("x.png", "no")
    write("archive", "zip", packed.getvalue())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("b.txt", "a/./c.md"):
            entry = tarfile.TarInfo(name)
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"hello"))
    write("archive", "tar", packed.getvalue(), 1)
    write("archive", "tar-gz", gzip.compress(packed.getvalue(), mtime=0), 1)
    write("archive", "gz", gzip.compress(b"one text\n", mtime=0), 2)


def pdf():
    for name in ("libreoffice.pdf",):
        text = subprocess.run(["pdftotext", "-q", "-enc", "UTF-8", "-htmlmeta", DATA / name, "-"], check=True,
                              stdout=subprocess.PIPE).stdout
        write("pdf", name, text)
    page = "Running title {0}\n\n{0}.1\n\nA section\n\nText of a page that is long enough to be taken as full width.\n• item\n{0}\n\f"
    write("pdf", "pages", "<title>T</title>\n<pre>\n" + "".join(page.format(i) for i in range(1, 6)) +
          "1.1 Contents . . . . . . 12\n</pre>")


def wire():
    write("wire", "one-block", bytes([0]) + bytes(range(64)) * 20, 1)
    write("wire", "empty", b"\0")


if __name__ == "__main__":
    packages()
    texts()
    mail()
    code()
    archives()
    pdf()
    wire()
