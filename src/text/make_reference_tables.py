#!/usr/bin/env python3
"""Writes reference_tables.c: what the reference thinks of each code point.

Hugging Face's tokenizers carries several Unicode versions at once (one for grapheme
clusters, older ones for categories and decompositions, the compiler's for lower case). To
give its ids for every text, its own answers are tabulated rather than those of any
Unicode version.

Made with tokenizers 0.23.3 and sentencepiece 0.2.3:
    python3 src/text/make_reference_tables.py > src/text/reference_tables.c
"""
import io
import tempfile
import unicodedata

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import normalizers, pre_tokenizers

CODES = [c for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF and c not in (10, 13)]
ACUTE, ZWJ = "\u0301", "\u200d"


def charsmap(rules):
    """A Precompiled normalizer with just these rules, compiled by sentencepiece."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as tsv:
        for source, target in rules.items():
            tsv.write(" ".join(f"{ord(c):X}" for c in source) + "\t" +
                      " ".join(f"{ord(c):X}" for c in target) + "\n")
        tsv.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d e f"] * 10), model_writer=model, vocab_size=12,
            hard_vocab_limit=False, normalization_rule_tsv=tsv.name, minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)


def ask(normalizer, text_of, between="\n"):
    """The answer for each code point; a line feed parts them, as it parts clusters."""
    texts = between.join(text_of(chr(c)) for c in CODES)
    answers = normalizer.normalize_str(texts).split(between)
    assert len(answers) == len(CODES)
    return dict(zip(CODES, answers))


def codes_where(normalizer, text_of, test):
    return {c for c, answer in ask(normalizer, text_of).items() if test(answer)}


# A cluster of less than six bytes whose beginning has a rule is replaced as a whole, so
# an accent that is gone shows where a cluster began.
def kept(answer):
    return answer.endswith(ACUTE)


letter, mark, sign, ka = (charsmap({s: "X"}) for s in ("a", "\u0340", "®", "क"))
joins = codes_where(letter, lambda c: "a" + c, lambda r: r == "X")
prepend = codes_where(letter, lambda c: c + "a" + ACUTE, kept)
control = codes_where(mark, lambda c: c + "\u0340" + ACUTE, lambda r: not kept(r))
extend = joins & codes_where(sign, lambda c: "©" + c + ZWJ + "®" + ACUTE, kept)
pictograph = codes_where(sign, lambda c: c + ZWJ + "®" + ACUTE, kept) - joins
consonant = codes_where(ka, lambda c: c + "\u094d" + "क" + ACUTE, kept) - joins - prepend
linker = joins & codes_where(ka, lambda c: "क" + c + "क" + ACUTE, kept)
between = joins & codes_where(ka, lambda c: "क" + c + "\u094d" + "क" + ACUTE, kept)


def bert(**on):
    flags = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False,
                 lowercase=False)
    return normalizers.BertNormalizer(**{**flags, **on})


cleaned = ask(bert(clean_text=True), lambda c: "a" + c + "b", "=?=")
removed = {c for c, answer in cleaned.items() if answer == "ab"}
to_space = {c for c, answer in cleaned.items() if answer == "a b"}
chinese = codes_where(bert(handle_chinese_chars=True), lambda c: c, lambda r: len(r) == 3)
nfd = ask(normalizers.NFD(), lambda c: c)
lower = ask(bert(lowercase=True), lambda c: c)
nonspacing = codes_where(bert(strip_accents=True), lambda c: c, lambda r: r == "")
# Canonical combining classes: those that change places with one of the lowest class or
# with one of the highest, and which of the known classes they are sorted behind.
first, last = "\u0334", "\u0345"
moved = codes_where(normalizers.NFD(), lambda c: c + first,
                    lambda r: len(r) == 2 and r[0] == first and r[1] != first)
moved |= codes_where(normalizers.NFD(), lambda c: last + c,
                     lambda r: len(r) == 2 and r[1] == last and r[0] != last)
moved = {c for c in moved if nfd[c] == chr(c)}
after = {unicodedata.combining(chr(c)): chr(c) for c in moved}
combining = {}
for c in moved:
    value = unicodedata.combining(chr(c))
    for other, char in after.items():
        got = normalizers.NFD().normalize_str(char + chr(c))
        assert got == (chr(c) + char if value < other else char + chr(c)), hex(c)
    combining[c] = value
for c, answer in nfd.items():
    if answer != chr(c) and not 0xAC00 <= c <= 0xD7A3:
        assert answer == unicodedata.normalize("NFD", chr(c)), hex(c)

bert_split = pre_tokenizers.BertPreTokenizer()
punctuation, space = set(), set()
for c in CODES + [10, 13]:
    parts = bert_split.pre_tokenize_str("a" + chr(c) + "b")
    if len(parts) == 3:
        punctuation.add(c)
    elif len(parts) == 2:
        space.add(c)
to_space |= {10, 13}


def ranges(codes):
    found = []
    for c in sorted(codes):
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def write_items(items):
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > 95:
            print(line)
            line = "   "
        line += " " + item + ","
    print(line)


def write_ranges(name, comment, codes):
    found = ranges(codes)
    print(f"\n/* {comment} */")
    print(f"static const struct code_range {name}_ranges[] = {{")
    write_items(f"{{0x{a:X}, 0x{b:X}}}" for a, b in found)
    print("};")
    print(f"const struct code_ranges {name} = {{{name}_ranges, {len(found)}}};")


assert tokenizers.__version__ == "0.23.3"
print(f"""/* Generated by make_reference_tables.py from tokenizers {tokenizers.__version__}: do not
 * edit. reference_tables.h says what the tables mean. */
#include "text/reference_tables.h"

/* clang-format off */""")
write_ranges("reference_extend", "Grapheme_Cluster_Break=Extend, or ZWJ", extend)
write_ranges("reference_spacing", "SpacingMark", joins - extend)
write_ranges("reference_prepend", "Prepend", prepend - joins)
write_ranges("reference_control", "Control, less CR and LF", control)
write_ranges("reference_pictograph", "Extended_Pictographic", pictograph)
write_ranges("reference_consonant", "Indic_Conjunct_Break=Consonant", consonant)
write_ranges("reference_linker", "Indic_Conjunct_Break=Linker", linker)
write_ranges("reference_conjunct_extend", "Indic_Conjunct_Break=Extend or Linker", between)
write_ranges("reference_space", "white space", space)
write_ranges("reference_punctuation", "punctuation, for BERT", punctuation)
write_ranges("reference_removed", "what BERT's cleaning removes, less U+0000", removed)
write_ranges("reference_to_space", "what BERT's cleaning turns into a space", to_space)
write_ranges("reference_chinese", "what BERT puts spaces around", chinese)
write_ranges("reference_nonspacing", "what BERT strips as an accent", nonspacing)
write_ranges("reference_decomposed", "what is decomposed canonically, less Hangul syllables",
             {c for c, r in nfd.items() if r != chr(c) and not 0xAC00 <= c <= 0xD7A3})

by_class = {}
for c, value in combining.items():
    by_class.setdefault(value, set()).add(c)
items = sorted((a, b, v) for v, cs in by_class.items() for a, b in ranges(cs))
print("\n/* Canonical_Combining_Class other than 0 */")
print("const struct combining_range reference_combining[] = {")
write_items(f"{{0x{a:X}, 0x{b:X}, {v}}}" for a, b, v in items)
print("};")
print(f"const size_t reference_combining_count = {len(items)};")

pairs = [(c, [ord(x) for x in r]) for c, r in lower.items() if r != chr(c)]
assert [c for c, r in pairs if len(r) > 1] == [0x130] and dict(pairs)[0x130] == [0x69, 0x307]
# Runs in which each (or each second) letter has the same distance to its lower case.
runs = []
for c, r in pairs:
    delta = r[0] - c
    if runs:
        a, b, step, d = runs[-1]
        if d == delta and c - b in (1, 2) and (step == 0 or step == c - b):
            runs[-1] = (a, c, c - b, d)
            continue
    runs.append((c, c, 0, delta))
print("\n/* lower case; U+0130 also gets U+0307 behind */")
print("const struct lower_range reference_lower[] = {")
write_items(f"{{0x{a:X}, 0x{b:X}, {max(step, 1)}, {d}}}" for a, b, step, d in runs)
print("};")
print(f"const size_t reference_lower_count = {len(runs)};")
