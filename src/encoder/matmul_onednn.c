/* Matrix products by oneDNN 2.6 (C API), its brgemm kernels for AVX-512.
 *
 * Measured on one Zen 4 core (peak 117 GFLOP/s) with weights in oneDNN's own layout: 100 to
 * 112 GFLOP/s from 16 rows up, 28 to 41 with a single row, where weights come from memory.
 * These kernels add each element's products in an order that depends on nothing but the number
 * of inputs (tests/encoder/test_matmul.c holds them to it). The gemm that oneDNN 2.6 uses
 * below AVX-512 does not: its sums depend on the number of rows, which is why it is not used.
 *
 * They write whole rows only, so that a panel is computed beside y and copied into it (1 % of
 * the time).
 *
 * A primitive is generated for each shape (inputs, columns) and each number of rows in steps
 * of MATMUL_STEP, when it is first needed (0.3 ms), and then shared by all layers.
 *
 * oneDNN would start OpenMP threads of its own; the threads here are the encoder's, so that
 * each call is told to be of one. Scratchpads are the workers'. */
#include "base/memory.h"
#include "encoder/matmul_provider.h"

#include <oneapi/dnnl/dnnl.h>

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum { ROW_COUNTS = MATMUL_ROWS / MATMUL_STEP, MAX_SHAPES = 32 };

/* y [rows x columns] = x [rows x inputs] W + bias, generated code. */
struct product {
    dnnl_primitive_desc_t descriptor;
    dnnl_primitive_t primitive;
    size_t scratch; /* bytes */
};

struct shape {
    size_t inputs, columns;
    dnnl_memory_desc_t weights; /* the packed layout, one for all products */
    dnnl_primitive_desc_t pack_descriptor;
    dnnl_primitive_t pack; /* from [columns x inputs] */
    _Atomic(struct product *) products[ROW_COUNTS];
};

struct onednn_provider {
    struct matmul_provider base;
    dnnl_engine_t engine;
    pthread_mutex_t lock; /* of making shapes and products */
    struct shape *shapes[MAX_SHAPES];
    size_t shape_count;
};

struct onednn_worker {
    struct matmul_worker base;
    dnnl_stream_t stream;
    float *result; /* [MATMUL_ROWS x MATMUL_PANEL] */
    void *scratch;
    size_t scratch_size;
};

struct panel {
    struct shape *shape;
    float *weights; /* packed */
};

struct onednn_matmul {
    struct matmul base;
    float *bias;
    size_t panel_count;
    struct panel panels[];
};

static rag_status check(dnnl_status_t status, const char *doing, rag_error *error)
{
    if (status == dnnl_success)
        return RAG_OK;
    if (status == dnnl_out_of_memory)
        return fail_memory(error);
    return fail_with(error, RAG_INTERNAL,
                     "oneDNN failed with status %d while %s; RAG_CPU=avx2 "
                     "in the environment does without it",
                     (int)status, doing);
}

/* ---- Making products ---- */

static void product_free(struct product *product)
{
    if (!product)
        return;
    if (product->primitive)
        dnnl_primitive_destroy(product->primitive);
    if (product->descriptor)
        dnnl_primitive_desc_destroy(product->descriptor);
    free(product);
}

/* The descriptor of a product; weights may ask for any layout. */
static dnnl_status_t describe(dnnl_engine_t engine, const struct shape *shape, size_t rows,
                              const dnnl_memory_desc_t *weights, dnnl_primitive_desc_t *out)
{
    dnnl_dims_t x_dims = {(dnnl_dim_t)rows, (dnnl_dim_t)shape->inputs};
    dnnl_dims_t y_dims = {(dnnl_dim_t)rows, (dnnl_dim_t)shape->columns};
    dnnl_dims_t bias_dims = {1, (dnnl_dim_t)shape->columns};
    dnnl_memory_desc_t x, y, bias;
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(&x, 2, x_dims, dnnl_f32, dnnl_ab);
    if (!status)
        status = dnnl_memory_desc_init_by_tag(&y, 2, y_dims, dnnl_f32, dnnl_ab);
    if (!status)
        status = dnnl_memory_desc_init_by_tag(&bias, 2, bias_dims, dnnl_f32, dnnl_ab);
    if (!status)
        status = dnnl_matmul_desc_init(&matmul, &x, weights, &bias, &y);
    if (!status)
        status = dnnl_primitive_attr_create(&attributes);
    if (!status)
        status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (!status)
        status = dnnl_primitive_desc_create(out, &matmul, attributes, engine, NULL);
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    return status;
}

static bool is_brgemm(dnnl_primitive_desc_t descriptor)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, &name) ==
               dnnl_success &&
           name && strncmp(name, "brg", 3) == 0;
}

static rag_status product_new(dnnl_engine_t engine, const struct shape *shape, size_t rows,
                              struct product **out, rag_error *error)
{
    struct product *product = alloc_zeroed(1, sizeof *product);
    if (!product)
        return fail_memory(error);
    dnnl_status_t status = describe(engine, shape, rows, &shape->weights, &product->descriptor);
    if (!status && !is_brgemm(product->descriptor))
        status = dnnl_unimplemented;
    if (!status)
        status = dnnl_primitive_create(&product->primitive, product->descriptor);
    if (status) {
        product_free(product);
        return check(status, "generating a matrix product", error);
    }
    product->scratch = dnnl_memory_desc_get_size(
        dnnl_primitive_desc_query_md(product->descriptor, dnnl_query_scratchpad_md, 0));
    *out = product;
    return RAG_OK;
}

static rag_status find_product(struct onednn_provider *provider, struct shape *shape,
                               size_t rows, struct product **out, rag_error *error)
{
    size_t i = (rows - 1) / MATMUL_STEP;
    *out = atomic_load_explicit(&shape->products[i], memory_order_acquire);
    if (*out)
        return RAG_OK;
    rag_status status = RAG_OK;
    pthread_mutex_lock(&provider->lock);
    *out = atomic_load_explicit(&shape->products[i], memory_order_relaxed);
    if (!*out) {
        status = product_new(provider->engine, shape, (i + 1) * MATMUL_STEP, out, error);
        if (!status)
            atomic_store_explicit(&shape->products[i], *out, memory_order_release);
    }
    pthread_mutex_unlock(&provider->lock);
    return status;
}

/* ---- Making shapes ---- */

static void shape_free(struct shape *shape)
{
    if (!shape)
        return;
    for (size_t i = 0; i < ROW_COUNTS; i++)
        product_free(atomic_load(&shape->products[i]));
    if (shape->pack)
        dnnl_primitive_destroy(shape->pack);
    if (shape->pack_descriptor)
        dnnl_primitive_desc_destroy(shape->pack_descriptor);
    free(shape);
}

/* Lets oneDNN choose the packed layout and makes the reorder into it.
 * *brgemm false: it has no such kernel here. */
static dnnl_status_t shape_prepare(struct shape *shape, dnnl_engine_t engine, bool *brgemm)
{
    dnnl_dims_t dims = {(dnnl_dim_t)shape->inputs, (dnnl_dim_t)shape->columns};
    dnnl_memory_desc_t any, plain;
    dnnl_primitive_desc_t descriptor = NULL;
    dnnl_status_t status =
        dnnl_memory_desc_init_by_tag(&any, 2, dims, dnnl_f32, dnnl_format_tag_any);
    if (!status)
        status = dnnl_memory_desc_init_by_tag(&plain, 2, dims, dnnl_f32, dnnl_ba);
    if (!status)
        status = describe(engine, shape, MATMUL_ROWS, &any, &descriptor);
    if (!status) {
        *brgemm = is_brgemm(descriptor);
        shape->weights = *dnnl_primitive_desc_query_md(descriptor, dnnl_query_weights_md, 0);
        dnnl_primitive_desc_destroy(descriptor);
        status = dnnl_reorder_primitive_desc_create(&shape->pack_descriptor, &plain, engine,
                                                    &shape->weights, engine, NULL);
    }
    if (!status)
        status = dnnl_primitive_create(&shape->pack, shape->pack_descriptor);
    return status;
}

static rag_status shape_new(struct onednn_provider *provider, size_t inputs, size_t columns,
                            struct shape **out, rag_error *error)
{
    struct shape *shape = alloc_zeroed(1, sizeof *shape);
    if (!shape)
        return fail_memory(error);
    shape->inputs = inputs;
    shape->columns = columns;
    bool brgemm = true;
    dnnl_status_t made = shape_prepare(shape, provider->engine, &brgemm);
    if (made || !brgemm) {
        shape_free(shape);
        return check(made ? made : dnnl_unimplemented, "choosing a layout for weights", error);
    }
    *out = shape;
    return RAG_OK;
}

/* The shape that is known, or a new one; the lock is held. */
static rag_status find_shape(struct onednn_provider *provider, size_t inputs, size_t columns,
                             struct shape **out, rag_error *error)
{
    for (size_t i = 0; i < provider->shape_count; i++) {
        struct shape *s = provider->shapes[i];
        if (s->inputs == inputs && s->columns == columns) {
            *out = s;
            return RAG_OK;
        }
    }
    if (provider->shape_count == MAX_SHAPES)
        return fail_with(error, RAG_INTERNAL, "a model with more than %d shapes of weights",
                         MAX_SHAPES);
    rag_status status = shape_new(provider, inputs, columns, out, error);
    if (!status)
        provider->shapes[provider->shape_count++] = *out;
    return status;
}

/* ---- Matrices ---- */

static void onednn_matrix_free(struct matmul *matmul)
{
    struct onednn_matmul *m = (struct onednn_matmul *)matmul;
    for (size_t i = 0; i < m->panel_count; i++)
        free(m->panels[i].weights);
    free(m->bias);
    free(m);
}

/* from: [columns x inputs] */
static rag_status pack(struct onednn_provider *provider, struct panel *panel, const float *from,
                       rag_error *error)
{
    const struct shape *shape = panel->shape;
    const dnnl_memory_desc_t *plain =
        dnnl_primitive_desc_query_md(shape->pack_descriptor, dnnl_query_src_md, 0);
    panel->weights = alloc_aligned(dnnl_memory_desc_get_size(&shape->weights), 1);
    if (!panel->weights)
        return fail_memory(error);
    dnnl_stream_t stream = NULL;
    dnnl_memory_t source = NULL, target = NULL;
    dnnl_status_t status =
        dnnl_stream_create(&stream, provider->engine, dnnl_stream_default_flags);
    if (!status)
        status = dnnl_memory_create(&source, plain, provider->engine, (void *)(uintptr_t)from);
    if (!status)
        status = dnnl_memory_create(&target, &shape->weights, provider->engine, panel->weights);
    if (!status) {
        dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
        status = dnnl_primitive_execute(shape->pack, stream, 2, arguments);
    }
    if (!status)
        status = dnnl_stream_wait(stream);
    dnnl_memory_destroy(source);
    dnnl_memory_destroy(target);
    dnnl_stream_destroy(stream);
    return check(status, "packing weights", error);
}

static rag_status onednn_matrix_new(struct matmul_provider *base, const float *weights,
                                    const float *bias, const float *magnitudes, size_t outputs,
                                    size_t inputs, struct matmul **out, rag_error *error)
{
    (void)magnitudes;
    struct onednn_provider *provider = (struct onednn_provider *)base;
    struct matmul made = matmul_make(base, outputs, inputs);
    size_t panels = matmul_panels(&made);
    struct onednn_matmul *m = alloc_zeroed(1, sizeof *m + panels * sizeof m->panels[0]);
    if (!m)
        return fail_memory(error);
    m->base = made;
    m->panel_count = panels;
    m->bias = alloc_array(outputs, sizeof *bias);
    rag_status status = m->bias ? RAG_OK : fail_memory(error);
    if (!status)
        memcpy(m->bias, bias, outputs * sizeof *bias);
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    for (size_t i = 0; i < panels && !status; i++) {
        size_t begin = matmul_panel_begin(&m->base, i);
        pthread_mutex_lock(&provider->lock);
        status = find_shape(provider, inputs, matmul_panel_end(&m->base, i) - begin,
                            &m->panels[i].shape, error);
        pthread_mutex_unlock(&provider->lock);
        if (!status)
            status = pack(provider, &m->panels[i], weights + begin * inputs, error);
    }
    omp_set_num_threads(threads);
    if (status)
        onednn_matrix_free(&m->base);
    else
        *out = &m->base;
    return status;
}

/* ---- Products ---- */

static rag_status worker_reserve(struct onednn_worker *worker, size_t size, rag_error *error)
{
    if (size <= worker->scratch_size)
        return RAG_OK;
    free(worker->scratch);
    worker->scratch = alloc_aligned(size, 1);
    worker->scratch_size = worker->scratch ? size : 0;
    return worker->scratch ? RAG_OK : fail_memory(error);
}

/* An argument of a product that lies at `data`. */
static dnnl_status_t bind(dnnl_exec_arg_t *argument, int name, const struct product *product,
                          dnnl_query_t what, int index, dnnl_engine_t engine, const void *data)
{
    argument->arg = name;
    return dnnl_memory_create(&argument->memory,
                              dnnl_primitive_desc_query_md(product->descriptor, what, index),
                              engine, (void *)(uintptr_t)data);
}

static rag_status onednn_run(const struct matmul *matmul, struct matmul_worker *base,
                             size_t panel, const void *x, size_t rows,
                             const struct tile_result *out, rag_error *error)
{
    enum { ARGUMENTS = 5 };
    const struct onednn_matmul *m = (const struct onednn_matmul *)matmul;
    struct onednn_provider *provider = (struct onednn_provider *)matmul->provider;
    struct onednn_worker *worker = (struct onednn_worker *)base;
    size_t begin = matmul_panel_begin(matmul, panel);
    size_t columns = matmul_panel_end(matmul, panel) - begin;
    float *y = out->data, *result = columns == matmul->outputs ? y : worker->result;
    struct product *product;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    rag_status status = find_product(provider, m->panels[panel].shape, rows, &product, error);
    if (!status)
        status = worker_reserve(worker, product->scratch, error);
    if (status)
        goto out;

    dnnl_engine_t engine = provider->engine;
    dnnl_exec_arg_t a[ARGUMENTS] = {{0}};
    dnnl_status_t done = bind(&a[0], DNNL_ARG_SRC, product, dnnl_query_src_md, 0, engine, x);
    if (!done)
        done = bind(&a[1], DNNL_ARG_WEIGHTS, product, dnnl_query_weights_md, 0, engine,
                    m->panels[panel].weights);
    if (!done)
        done = bind(&a[2], DNNL_ARG_BIAS, product, dnnl_query_weights_md, 1, engine,
                    m->bias + begin);
    if (!done)
        done = bind(&a[3], DNNL_ARG_DST, product, dnnl_query_dst_md, 0, engine, result);
    if (!done)
        done = bind(&a[4], DNNL_ARG_SCRATCHPAD, product, dnnl_query_scratchpad_md, 0, engine,
                    worker->scratch);
    if (!done)
        done = dnnl_primitive_execute(product->primitive, worker->stream, ARGUMENTS, a);
    for (int i = 0; i < ARGUMENTS; i++)
        dnnl_memory_destroy(a[i].memory);
    for (size_t i = 0; result != y && i < rows; i++)
        memcpy(y + i * matmul->outputs + begin, result + i * columns, columns * sizeof *y);
    status = check(done, "multiplying", error);
out:
    omp_set_num_threads(threads);
    return status;
}

/* ---- Workers and the provider ---- */

static void onednn_worker_free(struct matmul_worker *base)
{
    struct onednn_worker *worker = (struct onednn_worker *)base;
    dnnl_stream_destroy(worker->stream);
    free(worker->result);
    free(worker->scratch);
    free(worker);
}

static rag_status onednn_worker_new(struct matmul_provider *base, struct matmul_worker **out,
                                    rag_error *error)
{
    struct onednn_provider *provider = (struct onednn_provider *)base;
    struct onednn_worker *worker = alloc_zeroed(1, sizeof *worker);
    if (!worker)
        return fail_memory(error);
    worker->base.provider = base;
    worker->result = alloc_aligned((size_t)MATMUL_ROWS * MATMUL_PANEL, sizeof(float));
    rag_status status = worker->result ? RAG_OK : fail_memory(error);
    if (!status)
        status = check(
            dnnl_stream_create(&worker->stream, provider->engine, dnnl_stream_default_flags),
            "making a stream", error);
    if (status)
        onednn_worker_free(&worker->base);
    else
        *out = &worker->base;
    return status;
}

static void onednn_provider_free(struct matmul_provider *base)
{
    struct onednn_provider *provider = (struct onednn_provider *)base;
    for (size_t i = 0; i < provider->shape_count; i++)
        shape_free(provider->shapes[i]);
    if (provider->engine)
        dnnl_engine_destroy(provider->engine);
    pthread_mutex_destroy(&provider->lock);
    free(provider);
}

static const struct matmul_operations operations = {
    .name = "oneDNN brgemm",
    .provider_free = onednn_provider_free,
    .worker_new = onednn_worker_new,
    .worker_free = onednn_worker_free,
    .matrix_new = onednn_matrix_new,
    .matrix_free = onednn_matrix_free,
    .run = onednn_run,
};

/* Whether oneDNN takes brgemm here (ONEDNN_MAX_CPU_ISA may forbid it). */
static rag_status probe(struct onednn_provider *provider, bool *brgemm, rag_error *error)
{
    struct shape shape = {.inputs = 64, .columns = 64};
    dnnl_dims_t dims = {64, 64};
    dnnl_memory_desc_t any;
    dnnl_primitive_desc_t descriptor = NULL;
    dnnl_status_t status =
        dnnl_memory_desc_init_by_tag(&any, 2, dims, dnnl_f32, dnnl_format_tag_any);
    if (!status)
        status = describe(provider->engine, &shape, MATMUL_ROWS, &any, &descriptor);
    if (!status) {
        *brgemm = is_brgemm(descriptor);
        dnnl_primitive_desc_destroy(descriptor);
    }
    return check(status, "looking for its kernels", error);
}

rag_status matmul_onednn_new(const struct kernels *kernels, struct matmul_provider **out,
                             rag_error *error)
{
    *out = NULL;
    struct onednn_provider *provider = alloc_zeroed(1, sizeof *provider);
    if (!provider)
        return fail_memory(error);
    provider->base = (struct matmul_provider){&operations, kernels};
    pthread_mutex_init(&provider->lock, NULL);
    bool brgemm = false;
    rag_status status =
        check(dnnl_engine_create(&provider->engine, dnnl_cpu, 0), "starting", error);
    if (!status)
        status = probe(provider, &brgemm, error);
    if (status || !brgemm)
        onednn_provider_free(&provider->base);
    else
        *out = &provider->base;
    return status;
}
