#!/usr/bin/env python3
"""Makes small tokenizers and what the reference says about texts.

Made with tokenizers 0.23.3 and sentencepiece 0.2.3, from this folder:
    python3 make_tokenizers.py

    unigram.model       SentencePiece unigram, with the real nmt_nfkc charsmap
    unigram/            the same pieces as XLM-RoBERTa's tokenizer.json, fewer rules
    metaspace-split/, strip/, normalized/, first/
                        the same with the other settings that hubs have
    wordpiece/          BERT, lower-cased: tokenizer.json; vocab.txt with the same pieces
    cased/              BERT that keeps case and accents: the same three files
    texts.jsonl         {"text", TOKENIZER: [[id, begin, end], ...], ...}: bytes of the
                        text; no special tokens around it
    pairs.jsonl         {"tokenizer", "a", "b", "max", "ids", "types"}
"""
import io
import json
import os
import random
import tempfile
import unicodedata

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import (AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers,
                        processors, trainers)

random.seed(20)
WORDS = """the a of to and in is tokens chunk passage vector search model answer question index
file reads writes small large quick brown river stone mountain morning evening child letter
Attention Encoder resnet50 HTTPServer x86 don't it's naïve café Größe garçon Москва река
вопрос ответ Αθήνα λόγος 水 山 河流 早晨 检索 文档 向量 模型 问题 回答 注意力 机制 深度 学习
かわ やま モデル カタログ 質問 検索 서울 강물 질문 대답 नदी प्रश्न उत्तर แม่น้ำ คำถาม نهر سؤال""".split()
MARKS = ["，", "。", "？", ",", ".", "?", "!", "-", ":", "(", ")", "、", "「", "」"]


def sentence():
    parts = []
    for _ in range(random.randrange(3, 14)):
        parts.append(random.choice(WORDS))
        if random.random() < 0.2:
            parts[-1] += random.choice(MARKS)
    return random.choice([" ", " ", ""]).join(parts)


CORPUS = [sentence() for _ in range(4000)]


def train_unigram(**options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=600,
        hard_vocab_limit=False, character_coverage=0.999, num_threads=1, minloglevel=2,
        **options)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto


def some_rules():
    """NFKC of a few hundred characters and sequences, for a charsmap that stays small."""
    rules = {}
    blocks = [(0xA0, 0x180), (0x2000, 0x2070), (0x2100, 0x2190), (0x2460, 0x2480),
              (0x3000, 0x3010), (0xFB00, 0xFB07), (0xFF01, 0xFF5F), (0xFF61, 0xFFA0)]
    for first, last in blocks:
        for code in range(first, last):
            text = unicodedata.normalize("NFKC", chr(code))
            if text != chr(code):
                rules[chr(code)] = text
    for letter in "aeiouAEOUcn":
        for mark in "\u0300\u0301\u0302\u0303\u0308\u0327":
            text = unicodedata.normalize("NFC", letter + mark)
            if len(text) == 1:
                rules[letter + mark] = text
    for code in (0x00AD, 0x200E, 0x200F, 0xFEFF, 0x0001, 0x007F):
        rules[chr(code)] = ""
    for code in (0x0009, 0x000A, 0x000D, 0x200B, 0x200D):
        rules[chr(code)] = " "
    rules["\u0958"] = "\u0915\u093c"
    return rules


def charsmap(rules):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as tsv:
        for source, target in rules.items():
            tsv.write(" ".join(f"{ord(c):X}" for c in source) + "\t" +
                      " ".join(f"{ord(c):X}" for c in target) + "\n")
        tsv.flush()
        return train_unigram(normalization_rule_tsv=tsv.name).normalizer_spec.precompiled_charsmap


def xlmr(proto, rules, normalizer=None, pre_tokenizer=None, mask=None, added=()):
    """As transformers converts XLM-RoBERTa."""
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [(p.piece, p.score) for p in proto.pieces[3:]] + [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    steps = normalizer or [normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(rules)] + steps)
    tokenizer.pre_tokenizer = pre_tokenizer or pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens([mask or AddedToken("<mask>", normalized=False)])
    tokenizer.add_tokens(list(added))
    return tokenizer


def bert(lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=specials,
                                        show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(s, tokenizer.token_to_id(s)) for s in ("[CLS]", "[SEP]")])
    return tokenizer


PIECES = """a e ﬁ ½ ™ ㎞ ① ﷺ Ω ß İ é ü Å ａ ｱ ｶ ﾞ 中 河流 か が 가 강물 ᄀ ᅡ क क़ ् ा แม่ ำ ن ؀ ۝ ൎ ́ ̈ ̣ ͅ 〮 𝒳 𠀀 豈
😀 👨‍👩‍👧 🇫🇷 ❤️ 🏽 <mask> <s> </s> <unk> <pad> [MASK] [SEP] [UNK] ＜mask＞ <new> <New> ▁ ，。 ''""".split()
PIECES += [" ", "  ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u3000", "\u200b", "\u200d", "\u00ad",
           "\ufeff", "\x01", "\x7f", "\x00", "\ufffd", "\u2028", "\u0301", "\u0323", "\u302e"]


def texts():
    yield from ["", " ", "  ", "\t \n", "a", " a ", "水", "<mask>", "a <mask> b", "a<mask>b",
                "  <mask>  ", "\x01\x02a", "\u00ad\u00adriver stone", "½\u00ad\u00ada",
                "▁▁river", "x" * 99, "x" * 100, "x" * 101, "水" * 700, "abc" * 400,
                "ß́ e\u0301 e\u0301\u0323", "Ꭰ ꭰ Ა", "don't <new>s <New> "]
    for _ in range(25):
        yield sentence()
    for _ in range(100):
        yield "".join(random.choice(PIECES if random.random() < 0.8 else WORDS)
                      for _ in range(random.randrange(1, 16)))
    for _ in range(40):
        yield "".join(chr(random.choice([random.randrange(1, 0x250), random.randrange(0x250, 0x3000),
                                         random.randrange(0x3000, 0xD800),
                                         random.randrange(0xE000, 0x10000),
                                         random.randrange(0x10000, 0x20000)]))
                      for _ in range(random.randrange(1, 12)))


def byte_spans(text, spans):
    starts, at = [], 0
    for c in text:
        starts.append(at)
        at += len(c.encode())
    starts.append(at)
    return [[starts[b], starts[e]] for b, e in spans]


def save(tokenizer, folder):
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(os.path.join(folder, "tokenizer.json"), pretty=False)


def main():
    assert (tokenizers.__version__, sentencepiece.__version__) == ("0.23.3", "0.2.3")
    full = train_unigram(normalization_rule_name="nmt_nfkc")
    with open("unigram.model", "wb") as file:
        file.write(full.SerializeToString())
    rules = charsmap(some_rules())
    sign = [normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]
    split = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    strange = AddedToken("<mask>", lstrip=True, rstrip=True, normalized=True)
    new = [AddedToken("<new>", normalized=True), AddedToken("<New> ", normalized=True),
           AddedToken("stone", rstrip=True, normalized=False)]
    of = {
        "unigram.model": xlmr(full, full.normalizer_spec.precompiled_charsmap),
        "unigram": xlmr(full, rules),
        "metaspace-split": xlmr(full, rules, pre_tokenizer=split,
                                mask=AddedToken("<mask>", lstrip=True, normalized=False)),
        "strip": xlmr(full, rules, normalizer=sign),
        "normalized": xlmr(full, rules, mask=strange, added=new),
        "first": xlmr(full, rules,
                      pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first")),
        "wordpiece": bert(True),
        "cased": bert(False),
    }
    for name, tokenizer in of.items():
        if name != "unigram.model":
            save(tokenizer, name)
    for name in ("wordpiece", "cased"):
        vocabulary = sorted(of[name].get_vocab().items(), key=lambda item: item[1])
        with open(os.path.join(name, "vocab.txt"), "w") as file:
            file.writelines(piece + "\n" for piece, _ in vocabulary)
    with open("cased/tokenizer_config.json", "w") as file:
        json.dump({"do_lower_case": False, "strip_accents": None}, file)
    with open("texts.jsonl", "w") as file:
        for text in texts():
            line = {"text": text}
            for name, tokenizer in of.items():
                got = tokenizer.encode(text, add_special_tokens=False)
                spans = byte_spans(text, got.offsets)
                line[name] = [[i, b, e] for i, (b, e) in zip(got.ids, spans)]
            file.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
    with open("pairs.jsonl", "w") as file:
        for name in ("unigram", "normalized", "wordpiece"):
            for i in range(60):
                a = " ".join(sentence() for _ in range(random.randrange(0, 4)))
                b = random.choice(["", "<mask> "]) + sentence()
                if i % 7 == 0:
                    a, b = b, a
                most = random.choice([0, 4, 5, 6, 7, 8, 9, 13, 16, 21, 33, 64])
                tokenizer = of[name]
                tokenizer.no_truncation()
                if most:
                    tokenizer.enable_truncation(most)
                got = tokenizer.encode(a, b)
                file.write(json.dumps({"tokenizer": name, "a": a, "b": b, "max": most,
                                       "ids": got.ids, "types": got.type_ids},
                                      separators=(",", ":"), ensure_ascii=False) + "\n")
            of[name].no_truncation()


main()
