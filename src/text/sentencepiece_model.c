/* SentencePiece's *.model (sentencepiece_model.proto of github.com/google/sentencepiece),
 * a Protocol Buffers message (protobuf.dev/programming-guides/encoding). What is read:
 *
 *   ModelProto       1 pieces (message, repeated), 2 trainer_spec, 3 normalizer_spec
 *   SentencePiece    1 piece (string), 2 score (float), 3 type (enum, 1 if absent:
 *                    1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte)
 *   TrainerSpec      3 model_type (enum: 1 unigram, 2 BPE, 3 word, 4 char)
 *   NormalizerSpec   2 precompiled_charsmap (bytes), 3 add_dummy_prefix (bool)
 *
 * XLM-RoBERTa keeps fairseq's numbers: <s> 0, <pad> 1, </s> 2, <unk> 3, then the pieces
 * behind the model's own <unk>, <s>, </s> one higher than there, and <mask> at the end
 * (transformers, tokenization_xlm_roberta.py). The rest is as its tokenizer.json has it. */
#include "text/model.h"

#include <string.h>

enum { MAX_FILE = 1 << 28 };
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
enum { PIECE_NORMAL = 1, PIECE_UNKNOWN, PIECE_CONTROL, PIECE_USER, PIECE_UNUSED, PIECE_BYTE };

/* What is left of a message. */
struct reader {
    const unsigned char *at, *end;
};

struct field {
    uint32_t number;
    int wire;
    uint64_t value;      /* of a varint or a fixed number */
    struct reader bytes; /* of a string or a message */
};

static bool read_varint(struct reader *reader, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && reader->at < reader->end; shift += 7) {
        unsigned char byte = *reader->at++;
        if (shift == 63 && byte > 1)
            return false;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool read_fixed(struct reader *reader, size_t size, uint64_t *value)
{
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    *value = 0;
    for (size_t i = 0; i < size; i++)
        *value |= (uint64_t)reader->at[i] << 8 * i;
    reader->at += size;
    return true;
}

/* False: the message is damaged. */
static bool read_field(struct reader *reader, struct field *field)
{
    uint64_t tag, size;
    if (!read_varint(reader, &tag) || tag >> 3 == 0 || tag >> 32)
        return false;
    *field = (struct field){.number = (uint32_t)(tag >> 3), .wire = (int)(tag & 7)};
    switch (field->wire) {
    case WIRE_VARINT:
        return read_varint(reader, &field->value);
    case WIRE_FIXED64:
        return read_fixed(reader, 8, &field->value);
    case WIRE_FIXED32:
        return read_fixed(reader, 4, &field->value);
    case WIRE_BYTES:
        if (!read_varint(reader, &size) || size > (uint64_t)(reader->end - reader->at))
            return false;
        field->bytes = (struct reader){reader->at, reader->at + size};
        reader->at += size;
        return true;
    default:
        return false;
    }
}

static bool is_field(const struct field *field, uint32_t number, int wire)
{
    return field->number == number && field->wire == wire;
}

struct piece {
    struct reader text;
    double score;
    uint64_t type;
};

static bool read_piece(struct reader message, struct piece *piece)
{
    *piece = (struct piece){.type = PIECE_NORMAL};
    while (message.at < message.end) {
        struct field field;
        if (!read_field(&message, &field))
            return false;
        if (is_field(&field, 1, WIRE_BYTES)) {
            piece->text = field.bytes;
        } else if (is_field(&field, 2, WIRE_FIXED32)) {
            uint32_t bits = (uint32_t)field.value;
            float score;
            memcpy(&score, &bits, sizeof score);
            piece->score = (double)score;
        } else if (is_field(&field, 3, WIRE_VARINT)) {
            piece->type = field.value;
        }
    }
    return piece->text.at != NULL;
}

static bool piece_is(const struct piece *piece, const char *text)
{
    size_t size = (size_t)(piece->text.end - piece->text.at);
    return size == strlen(text) && memcmp(piece->text.at, text, size) == 0;
}

static rag_status push(struct tokenizer *tokenizer, const char *text, rag_error *error)
{
    return vocabulary_push(&tokenizer->vocabulary, text, strlen(text), 0, error);
}

static rag_status add_piece(struct tokenizer *tokenizer, const struct piece *piece,
                            size_t number, rag_error *error)
{
    static const char *const first[] = {"<unk>", "<s>", "</s>"};
    static const char *const renumbered[] = {"<s>", "<pad>", "</s>", "<unk>"};
    if (number < 3) {
        if (!piece_is(piece, first[number]))
            return fail_with(error, RAG_MODEL, "piece %zu is not %s, as XLM-RoBERTa's is",
                             number, first[number]);
        rag_status status = RAG_OK;
        for (size_t i = 0; number == 2 && !status && i < 4; i++)
            status = push(tokenizer, renumbered[i], error);
        return status;
    }
    if (piece->type == PIECE_BYTE)
        return fail_with(error, RAG_MODEL, "a model with pieces for bytes is not supported");
    return vocabulary_push(&tokenizer->vocabulary, (const char *)piece->text.at,
                           (size_t)(piece->text.end - piece->text.at), piece->score, error);
}

static rag_status read_trainer(struct reader message, rag_error *error)
{
    uint64_t kind = 1;
    while (message.at < message.end) {
        struct field field;
        if (!read_field(&message, &field))
            return fail_with(error, RAG_MODEL, "its trainer_spec is damaged");
        if (is_field(&field, 3, WIRE_VARINT))
            kind = field.value;
    }
    return kind == 1 ? RAG_OK
                     : fail_with(error, RAG_MODEL,
                                 "a SentencePiece model that is not of the kind unigram");
}

static rag_status read_normalizer(struct reader message, struct unigram *unigram,
                                  rag_error *error)
{
    while (message.at < message.end) {
        struct field field;
        if (!read_field(&message, &field))
            return fail_with(error, RAG_MODEL, "its normalizer_spec is damaged");
        if (is_field(&field, 2, WIRE_BYTES)) {
            charsmap_release(&unigram->charsmap);
            rag_status status =
                charsmap_parse(field.bytes.at, (size_t)(field.bytes.end - field.bytes.at),
                               &unigram->charsmap, error);
            if (status)
                return status;
        } else if (is_field(&field, 3, WIRE_VARINT)) {
            unigram->prefix = field.value ? METASPACE_ALWAYS : METASPACE_NEVER;
        }
    }
    return RAG_OK;
}

static rag_status read_model(struct reader message, struct tokenizer *tokenizer,
                             rag_error *error)
{
    size_t pieces = 0;
    rag_status status = RAG_OK;
    const unsigned char *start = message.at;
    while (!status && message.at < message.end) {
        struct field field;
        struct piece piece;
        size_t offset = (size_t)(message.at - start);
        if (!read_field(&message, &field))
            return fail_with(error, RAG_MODEL, "byte %zu: not a SentencePiece model", offset);
        if (is_field(&field, 1, WIRE_BYTES)) {
            if (!read_piece(field.bytes, &piece))
                return fail_with(error, RAG_MODEL, "byte %zu: piece %zu is damaged", offset,
                                 pieces);
            status = add_piece(tokenizer, &piece, pieces++, error);
        } else if (is_field(&field, 2, WIRE_BYTES)) {
            status = read_trainer(field.bytes, error);
        } else if (is_field(&field, 3, WIRE_BYTES)) {
            status = read_normalizer(field.bytes, &tokenizer->unigram, error);
        }
    }
    if (!status && pieces < 4)
        status = fail_with(error, RAG_MODEL, "not a SentencePiece model: it has no pieces");
    return status;
}

rag_status sentencepiece_model_load(const char *path, struct tokenizer *tokenizer,
                                    rag_error *error)
{
    static const char *const specials[] = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
    struct buf file = BUF_INIT(MAX_FILE);
    tokenizer->model = MODEL_UNIGRAM;
    tokenizer->unknown = 3;
    tokenizer->unigram.prefix = METASPACE_ALWAYS;
    tokenizer->unigram.space_runs = SPACE_RUNS_TO_SPACE;
    rag_status status = tokenizer_read_file(path, &file, error);
    if (!status) {
        const unsigned char *data = (const unsigned char *)file.data;
        status = file.size
                     ? read_model((struct reader){data, data + file.size}, tokenizer, error)
                     : fail_with(error, RAG_MODEL, "the file is empty");
    }
    buf_release(&file);
    if (!status)
        status = push(tokenizer, "<mask>", error);
    for (size_t i = 0; !status && i < sizeof specials / sizeof *specials; i++)
        status = added_tokens_push(&tokenizer->added,
                                   (struct added_token){.id = -1, .special = true}, specials[i],
                                   strlen(specials[i]), error);
    template_simple(tokenizer, 0, 2, true, 0);
    return status;
}
