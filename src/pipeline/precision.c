#include "pipeline/precision.h"

#include "base/memory.h"
#include "encoder/magnitudes.h"
#include "model/packed_files.h"
#include "pipeline/sample_texts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is packed of a model in a precision, open for use. */
struct packing {
    rag_model *model;
    const struct hash *identity;
    rag_precision precision;
    unsigned threads;
    const struct events *events;
    char *path; /* NULL: there is no cache */
    struct encoder *encoder;
    struct packed *packed; /* NULL: the encoder holds its weights itself */
    double agreement;
};

const char *precision_name(rag_precision precision)
{
    switch (precision) {
    case RAG_PRECISION_F32:
        return "f32";
    case RAG_PRECISION_BF16:
        return "bf16";
    case RAG_PRECISION_INT8:
        return "int8";
    default:
        return "auto";
    }
}

static rag_status from_environment(rag_precision *precision, rag_error *error)
{
    const char *wanted = getenv("RAG_PRECISION");
    *precision = RAG_PRECISION_AUTO;
    if (!wanted || !*wanted)
        return RAG_OK;
    for (int p = RAG_PRECISION_F32; p <= RAG_PRECISION_AUTO; p++)
        if (strcmp(wanted, precision_name((rag_precision)p)) == 0) {
            *precision = (rag_precision)p;
            return RAG_OK;
        }
    return fail_with(error, RAG_USAGE, "RAG_PRECISION=%s: must be f32, bf16, int8 or auto",
                     wanted);
}

/* A change of what is packed, or how, needs another number. */
static const char *variant(rag_precision precision)
{
    return precision == RAG_PRECISION_INT8 ? "weights int8 1" : "weights bf16 1";
}

/* ---- Sample texts ---- */

struct samples {
    struct token_list tokens;
    struct sequence *sequences;
    size_t count;
};

static void samples_release(struct samples *samples)
{
    token_list_release(&samples->tokens);
    free(samples->sequences);
}

/* Texts as the encoder takes them, cut where they are longer than the model allows. */
static rag_status samples_make(const rag_model *model, struct sample_texts texts,
                               struct samples *samples, rag_error *error)
{
    *samples = (struct samples){.sequences = alloc_array(texts.count, sizeof(struct sequence)),
                                .count = texts.count};
    size_t *ends = alloc_array(texts.count, sizeof *ends), begin = 0;
    rag_status status = samples->sequences && ends ? RAG_OK : fail_memory(error);
    for (size_t i = 0; i < texts.count && !status; i++) {
        rag_text text = {texts.texts[i], strlen(texts.texts[i])};
        status = tokenizer_encode_single(model->tokenizer, text, &samples->tokens, error);
        ends[i] = samples->tokens.count;
    }
    for (size_t i = 0; i < texts.count && !status; i++) {
        size_t count = ends[i] - begin;
        if (count > model->config.max_tokens)
            count = model->config.max_tokens;
        samples->sequences[i] = (struct sequence){samples->tokens.ids + begin, NULL, count};
        begin = ends[i];
    }
    free(ends);
    return status;
}

static float cosine(const float *a, const float *b, size_t n)
{
    double product = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        product += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return (float)(product / sqrt(aa * bb));
}

/* The least cosine of the pooled vectors of two encoders. */
static rag_status compare(const rag_model *model, struct encoder *reference,
                          struct encoder *encoder, double *least, rag_error *error)
{
    size_t d = model->config.hidden;
    struct samples samples;
    rag_status status = samples_make(model, sample_texts_to_compare(), &samples, error);
    float *expected = alloc_array(samples.count, d * sizeof *expected);
    float *got = alloc_array(samples.count, d * sizeof *got);
    if (!status && (!expected || !got))
        status = fail_memory(error);
    if (!status)
        status = encoder_run(reference, samples.sequences, samples.count,
                             &(struct encoder_output){.pooled = expected}, NULL, error);
    if (!status)
        status = encoder_run(encoder, samples.sequences, samples.count,
                             &(struct encoder_output){.pooled = got}, NULL, error);
    *least = 1;
    for (size_t i = 0; i < samples.count && !status; i++)
        *least = fmin(*least, (double)cosine(expected + i * d, got + i * d, d));
    free(expected);
    free(got);
    samples_release(&samples);
    return status;
}

/* What int8 is packed by, and how much each of its products loses. */
struct findings {
    struct samples samples;
    struct magnitudes magnitudes;
    double *errors;
};

static void findings_release(struct findings *f)
{
    samples_release(&f->samples);
    magnitudes_release(&f->magnitudes);
    free(f->errors);
}

static rag_status measure(const rag_model *model, struct encoder *reference, struct findings *f,
                          rag_error *error)
{
    rag_status status = samples_make(model, sample_texts_to_measure(), &f->samples, error);
    if (status)
        return status;
    f->errors = alloc_array(encoder_products(reference), sizeof *f->errors);
    if (!f->errors)
        return fail_memory(error);
    return magnitudes_measure(reference, f->samples.sequences, f->samples.count, &f->magnitudes,
                              error);
}

/* ---- Packing ---- */

/* Products in int8 whose inputs lose most are raised to bf16, twice as many each time, until
 * the vectors agree this well, or half of them are. multilingual-e5-small agrees at once; of
 * all-MiniLM-L6-v2's 24 products half take the 1st percentile of 200 texts from 0.9978 to
 * 0.9994. */
#define AGREEMENT_WANTED 0.9995

enum { STEPS = 5 };

static rag_status step(const struct packing *p, uint64_t done, rag_error *error)
{
    if (event_progress(p->events, "packing", "steps", done, STEPS, p->model->name))
        return fail_with(error, RAG_INTERRUPTED, "stopped while packing the model %s",
                         p->model->name);
    return RAG_OK;
}

static rag_status raise_until_it_agrees(struct packing *p, struct encoder *reference,
                                        struct findings *f, rag_error *error)
{
    const rag_model *model = p->model;
    size_t most = encoder_products(p->encoder) / 2;
    rag_status status =
        errors_measure(p->encoder, f->samples.sequences, f->samples.count, f->errors, error);
    for (size_t count = 0; !status && p->agreement < AGREEMENT_WANTED && count < most;) {
        count = count == 0 ? 1 : 2 * count < most ? 2 * count : most;
        status = encoder_raise(p->encoder, model->checkpoint, f->errors, count, error);
        if (!status)
            status = compare(model, reference, p->encoder, &p->agreement, error);
    }
    return status;
}

/* The encoder, from the checkpoint, and its agreement. */
static rag_status pack_beside(struct packing *p, struct encoder *reference, rag_error *error)
{
    const rag_model *model = p->model;
    struct findings f = {0};
    rag_status status = step(p, 1, error);
    bool int8 = p->precision == RAG_PRECISION_INT8;
    if (!status && int8)
        status = measure(model, reference, &f, error);
    if (!status)
        status = step(p, 2, error);
    if (!status)
        status = int8 ? encoder_new_smoothed(&model->config, model->checkpoint, &f.magnitudes,
                                             p->threads, &p->encoder, error)
                      : encoder_new(&model->config, model->checkpoint, p->precision, p->threads,
                                    &p->encoder, error);
    if (!status)
        status = step(p, 3, error);
    if (!status)
        status = compare(model, reference, p->encoder, &p->agreement, error);
    if (!status && int8)
        status = raise_until_it_agrees(p, reference, &f, error);
    findings_release(&f);
    return status ? status : step(p, 4, error);
}

static rag_status pack(struct packing *p, rag_error *error)
{
    const rag_model *model = p->model;
    struct encoder *reference = NULL;
    rag_status status = step(p, 0, error);
    if (!status)
        status = encoder_new(&model->config, model->checkpoint, RAG_PRECISION_F32, p->threads,
                             &reference, error);
    if (!status)
        status = pack_beside(p, reference, error);
    encoder_free(reference);
    return status;
}

static rag_status store(const struct packing *p, rag_error *error)
{
    struct packed_writer *writer;
    rag_status status =
        packed_writer_new(p->path, p->identity, variant(p->precision), &writer, error);
    if (status)
        return status;
    status = encoder_store(p->encoder, writer, error);
    if (!status)
        status = packed_put(writer, "agreement", &p->agreement, sizeof p->agreement, error);
    if (!status)
        return packed_writer_commit(writer, error);
    packed_writer_abort(writer);
    return status;
}

/* Small files are read whole before they are believed, which takes 2 ms for the default model's
 * 22 MB; of large ones the samples must do (base/packed.h), or opening would no longer touch
 * only what it uses. `rag model verify` reads those. */
enum { VERIFIED_AT_ONCE = 64 << 20 };

static rag_status verify_small(const char *path, const struct packed *packed, rag_error *error)
{
    struct packed_info info;
    packed_get_info(packed, &info);
    rag_status status = info.bytes <= VERIFIED_AT_ONCE ? packed_verify(packed, error) : RAG_OK;
    return status ? fail_within(error, status, "%s", path) : RAG_OK;
}

/* From the file. RAG_NOT_FOUND or RAG_MODEL: it is not there, or no good. */
static rag_status map(struct packing *p, rag_error *error)
{
    const rag_model *model = p->model;
    const void *agreement;
    struct encoder *encoder = NULL;
    struct packed *packed;
    rag_status status =
        packed_open(p->path, p->identity, variant(p->precision), &packed, error);
    if (status)
        return status;
    status = verify_small(p->path, packed, error);
    if (!status)
        status = packed_array(packed, "agreement", 1, sizeof p->agreement, &agreement, error);
    if (!status)
        status = encoder_new_packed(&model->config, model->checkpoint, packed, p->precision,
                                    p->threads, &encoder, error);
    if (status) {
        packed_close(packed);
        return status;
    }
    memcpy(&p->agreement, agreement, sizeof p->agreement);
    encoder_free(p->encoder);
    p->encoder = encoder;
    p->packed = packed;
    return RAG_OK;
}

/* Packs, and goes on from the file, if it can be written: the memory is then shared. */
static rag_status pack_and_store(struct packing *p, rag_error *error)
{
    rag_error trouble;
    rag_status status = pack(p, error);
    if (status || !p->path)
        return status;
    status = store(p, &trouble);
    if (!status)
        status = map(p, &trouble);
    if (status)
        event_warning(p->events,
                      "packed weights are not kept, so the next start packs again: %s",
                      trouble.message);
    return step(p, STEPS, error);
}

static void packing_release(struct packing *p)
{
    free(p->path);
    encoder_free(p->encoder);
    packed_close(p->packed);
}

static rag_status find_path(struct packing *p, rag_error *error)
{
    const char *name =
        p->precision == RAG_PRECISION_INT8 ? "weights-int8.ragpack" : "weights-bf16.ragpack";
    rag_status status = packed_path(p->model->folder, name, &p->path, error);
    return status == RAG_NOT_FOUND ? RAG_OK : status;
}

static rag_status open_reduced(struct packing *p, rag_error *error)
{
    rag_error trouble;
    rag_status status = find_path(p, error);
    if (status)
        return status;
    status = p->path ? map(p, &trouble) : RAG_NOT_FOUND;
    if (status == RAG_MODEL)
        event_warning(p->events, "%s; it is packed anew", trouble.message);
    else if (status == RAG_MEMORY)
        return fail_memory(error);
    return status ? pack_and_store(p, error) : RAG_OK;
}

/* Takes over what was opened. */
static void use(rag_model *model, struct packing *p)
{
    model->encoder = p->encoder;
    model->packed = p->packed;
    model->precision = p->precision;
    model->agreement = p->agreement;
    p->encoder = NULL;
    p->packed = NULL;
}

static rag_status try_precision(rag_model *model, const struct hash *identity,
                                rag_precision precision, double least, unsigned threads,
                                const struct events *events, rag_error *error)
{
    struct packing p = {.model = model,
                        .identity = identity,
                        .precision = precision,
                        .threads = threads,
                        .events = events};
    rag_status status = open_reduced(&p, error);
    if (!status && p.agreement >= least)
        use(model, &p);
    packing_release(&p);
    return status;
}

static rag_status open_f32(rag_model *model, unsigned threads, rag_error *error)
{
    model->precision = RAG_PRECISION_F32;
    model->agreement = 1;
    return encoder_new(&model->config, model->checkpoint, RAG_PRECISION_F32, threads,
                       &model->encoder, error);
}

rag_status precision_open(rag_model *model, const struct hash *identity, rag_precision wanted,
                          unsigned threads, const struct events *events, rag_error *error)
{
    static const struct {
        rag_precision precision;
        double least;
    } fastest_first[] = {{RAG_PRECISION_INT8, AGREEMENT_INT8},
                         {RAG_PRECISION_BF16, AGREEMENT_BF16}};
    rag_status status = RAG_OK;
    if (wanted == RAG_PRECISION_DEFAULT)
        status = from_environment(&wanted, error);
    if (status)
        return status;
    if (wanted == RAG_PRECISION_BF16 || wanted == RAG_PRECISION_INT8)
        return try_precision(model, identity, wanted, -1, threads, events, error);
    for (size_t i = 0; wanted == RAG_PRECISION_AUTO && i < 2; i++) {
        rag_precision precision = fastest_first[i].precision;
        bool faster;
        status = encoder_is_faster(&model->config, precision, &faster, error);
        if (!status && faster)
            status = try_precision(model, identity, precision, fastest_first[i].least, threads,
                                   events, error);
        if (status || model->encoder)
            return status;
    }
    return open_f32(model, threads, error);
}
