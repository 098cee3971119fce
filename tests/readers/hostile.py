"""Files made to do harm, for test_hostile.py and tests/cli/test_hostile_files.py: each a name and its
bytes. Made anew each time, for they are large or would alarm a virus scanner."""
import bz2
import gzip
import io
import json
import tarfile
import zipfile

DEEP = 10 ** 6


def package(**entries):
    """A zip with these entries."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else None)
    return out.getvalue()


RELATIONS = ('<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
             'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="{}"/>'
             '</Relationships>')
LAUGHS = ('<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha">' +
          "".join(f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(9)) + ']>')


def docx(document):
    return package(**{"_rels/.rels": RELATIONS.format("word/document.xml"), "word/document.xml": document})


def xlsx(sheet):
    workbook = '<workbook xmlns:r="r"><sheets><sheet name="s" r:id="rId1"/></sheets></workbook>'
    relation = RELATIONS.format("sheet.xml").replace("/officeDocument\"", "/worksheet\"")
    return package(**{"_rels/.rels": RELATIONS.format("xl/workbook.xml"), "xl/workbook.xml": workbook,
                      "xl/_rels/workbook.xml.rels": relation, "xl/sheet.xml": sheet})


def ods(table):
    return package(**{"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml":
                      f"<document-content><body><spreadsheet>{table}</spreadsheet></body></document-content>"})


def nested_zip(depth):
    content, name = b"# The innermost\n", "x.md"
    for _ in range(depth):
        content, name = package(**{name: content}), "x.zip"
    return content


def tar(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def links():
    """Links out of the archive, a device, and a file with a way out in its name."""
    entries = []
    for name, kind in (("link.txt", tarfile.SYMTYPE), ("hard.txt", tarfile.LNKTYPE), ("null.txt", tarfile.CHRTYPE)):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        entries.append((info, b""))
    entries.append((tarfile.TarInfo("../../outside.txt"), b"outside"))
    entries.append((tarfile.TarInfo("/absolute/inside.txt"), b"a good line"))
    return tar(entries)


def mail_in_mail():
    """A mail whose parts lie in each other."""
    head = "Subject: deep\nMIME-Version: 1.0\nFrom: a@b\n"
    return (head + "".join(f"Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n" for i in range(5000)) + "\ntext\n").encode()


# What is refused: name, bytes, a word of the reason.
def refused():
    yield "bomb.docx", docx(b"<w:p>" + b"0" * (200 << 20)), "times its size"
    yield "bomb.zip", package(**{"x.txt": b"0" * (200 << 20)}), "times its size"
    yield "bomb.txt.gz", gzip.compress(b"0" * (200 << 20)), "times its size"
    yield "bomb.tar.bz2", bz2.compress(tar([(tarfile.TarInfo("x.txt"), b"0" * (200 << 20))])), "times its size"
    yield "many.zip", package(**{f"{i}.txt": b"" for i in range(100001)}), "more than"
    yield "laughs.docx", docx(LAUGHS + "<d>&j;</d>"), "document type"
    yield "external.docx", docx('<!DOCTYPE d SYSTEM "file:///etc/passwd"><d/>'), "document type"
    yield "deep.docx", docx("<w:p>" * DEEP), "nested too deeply"
    yield "deep.html", b"<!doctype html>" + b"<div>" * DEEP, "deep"
    yield "deep.json", b"[" * DEEP, "no JSON"
    yield "deep.ipynb", b'{"nbformat": 4, "cells": ' + b"[" * DEEP, "no notebook"
    yield "deep.rtf", b"{\\rtf1" + b"{" * DEEP, "deep"
    yield "cut.docx", docx("<w:p/>" * 1000)[:-40], "archive"
    yield "no.pdf", b"%PDF-1.7\n" + b"0" * 100000, "damaged"
    yield "loop.pdf", (b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[2 0 R]/Count 9>>endobj\n"
                       b"trailer<</Root 1 0 R>>\n"), ""


# What is read all the same: name, bytes, a line of the text ("": any).
def read():
    yield "nested.zip", nested_zip(3), "The innermost"
    yield "links.tar", links(), "a good line"
    yield "deep.md", b"> " * DEEP + b"\n\nafter\n", "after"
    yield "list.md", b"- " * DEEP + b"\n\nafter\n", "after"
    yield "deep.tex", b"\\begin{document}\n" + b"{" * DEEP + b"\n\n\\section{after}\n", "after"
    yield "deep.org", b"*" * DEEP + b" x\n\n* after\n", "after"
    yield "deep.rst", b"* " * DEEP + b"\n\nafter\n", "after"
    yield "deep.py", b"def f():\n" * 1000 + b"(" * DEEP + b"\n\nafter\n", "after"
    yield "deep.c", b"{" * DEEP + b"\n\nafter\n", "after"
    yield "deep.eml", mail_in_mail(), "deep"
    yield "repeated.ods", ods('<table name="t"><table-row number-rows-repeated="1048576"><table-cell number-columns-repeated='
                              '"16384"><p>x</p></table-cell></table-row></table>'), "x"
    yield "blanks.ods", ods('<table name="t"><table-row><table-cell><p>x<s c="4000000000"/>after</p></table-cell></table-row>'
                            '</table>'), "after"
    yield "wide.xlsx", xlsx('<worksheet><sheetData><row r="1">' + "".join(
        f'<c r="ZZZZ{i}"><v>1</v></c>' for i in range(1, 3)) + "</row></sheetData></worksheet>"), "| 1 | 1 |"
    yield "far.xlsx", xlsx('<worksheet><sheetData><row r="1048576"><c r="A1048576"><v>1</v></c><c r="XFD1048576"><v>2</v></c>'
                           '</row></sheetData></worksheet>'), "2"
    yield "span.html", b"<table><tr><td colspan=999999999>a<td>b<tr><td>c<td>d</table>", "| a | b |"
    yield "wide.csv", b"a," * DEEP + b"\nafter," + b"b," * DEEP + b"\n", "after"
    yield "quote.csv", b'a,b\n"never closed,' + b"x\n" * 100000, "never closed"
    yield "escape.txt", b"before\n\x1b[2Jafter\n", "before"
    yield "lines.jsonl", b'{"a": 1}\n' + b"[" * 100000 + b'\n{"b": "after"}\n', "after"
    yield "numbers.json", json.dumps([10 ** 30, 2 ** 64, -1, "after"]).encode(), "after"


def too_deep():
    return nested_zip(8)
