#!/usr/bin/env python3
"""Writes the first inputs of the fuzz targets for tokenizers.

Made with tokenizers 0.23.3 and sentencepiece 0.2.3, from this folder:
    python3 make_fuzz_corpus.py ../../fuzz/corpus
"""
import io
import os
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

TEXTS = ["The ﬁrst river,  and a naïve stone. 水河流 检索 <mask> x",
         "e\u0301\u0323 ½\u00ad\u00ad ㎞① ｶﾞｶﾞ が 강물 ᄀ\u1161 नदी แม่น้ำ نهر",
         "👨‍👩‍👧 🇫🇷 ❤️ <new> <New> stone  \t\r\n\u3000\u2028 [MASK] [SEP]</s>",
         "DotProductAttention attention_mechanism bge-m3 x86 3.14 don't C++ HTTPServer",
         "\u0001\u00ad\u302e\u0301\U0001d165\U00016ff0\ufffd\ufeff\u0600a\u0301"]


def write(folder, name, content):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def small_model():
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as tsv:
        tsv.write("FB01\t66 69\nBD\t31 2044 32\nAD\t\n65 301\tE9\n9\t20\n")
        tsv.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a river and a stone"] * 20), model_writer=model,
            vocab_size=24, hard_vocab_limit=False, normalization_rule_tsv=tsv.name,
            minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    proto.trainer_spec.Clear()
    return proto


def unigram(proto):
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [(p.piece, p.score) for p in proto.pieces[3:]]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
         normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.add_special_tokens(["<s>", AddedToken("<mask>", lstrip=True, normalized=True)])
    return tokenizer.to_str().encode()


def wordpiece():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "the", "##r", "river", "水", "don", "'"]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens(["[SEP]"])
    return tokenizer.to_str().encode(), "\n".join(pieces).encode()


def main():
    root = sys.argv[1]
    for i, text in enumerate(TEXTS):
        write(os.path.join(root, "fuzz_tokenize"), f"{i}.txt", text.encode())
    folder = os.path.join(root, "fuzz_tokenizer_files")
    proto = small_model()
    write(folder, "unigram.json", b"j" + unigram(proto))
    write(folder, "small.model", b"m" + proto.SerializeToString())
    bert, vocabulary = wordpiece()
    write(folder, "bert.json", b"j" + bert)
    write(folder, "vocab.txt", b"t" + vocabulary)


main()
