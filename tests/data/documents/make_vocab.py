#!/usr/bin/env python3
"""Makes vocab.txt, a small WordPiece vocabulary for the tests of the chunkers.

Program: Python 3.11, standard library alone.
Command: python3 tests/data/documents/make_vocab.py > tests/data/documents/vocab.txt

It has every printable ASCII character and some ideographs, each also as "##x", and a few
common words, so that words take one token or many.
"""

import sys

WORDS = """the of and to in is it that for on with as are this be a an not one two three
section text word line code list table formula sentence chunk document heading page"""
IDEOGRAPHS = "的一是不了在人有我他这中大来上个国到说们为子和你地出道也时年得文字句段章节标题"


def main():
    out = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = [chr(c) for c in range(0x21, 0x7F) if not 0x41 <= c <= 0x5A]
    characters += sorted(set(IDEOGRAPHS)) + list("，。！？：；、（）“”…")
    out += characters
    out += ["##" + c for c in characters if c.isalnum()]
    out += sorted(w for w in set(WORDS.split()) if len(w) > 1)
    out += ["##ing", "##ed"]
    sys.stdout.write("\n".join(out) + "\n")


main()
