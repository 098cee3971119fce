/* Products with packed weights: right, and the same bits for a row wherever it stands. */
#include "base/memory.h"
#include "encoder/matmul.h"
#include "support/test.h"

#include <math.h>

static uint32_t seed = 1;

static float *random_rows(size_t rows, size_t columns)
{
    float *x = alloc_aligned(rows * columns, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < rows * columns; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = (float)(seed >> 8) / (1 << 23) - 1;
    }
    return x;
}

struct product {
    struct matmul *matmul;
    float *weights, *bias;
};

static void product_open(struct product *p, enum cpu_level level, size_t outputs, size_t inputs)
{
    rag_error error;
    struct matmul_maker maker = {RAG_PRECISION_F32, kernels_for(level),
                                 tile_kernels_for(level)};
    p->weights = random_rows(outputs, inputs);
    p->bias = random_rows(1, outputs);
    assert_ok(
        matmul_new(&maker, p->weights, p->bias, NULL, outputs, inputs, &p->matmul, &error),
        &error);
}

static void product_close(struct product *p)
{
    matmul_free(p->matmul);
    free(p->weights);
    free(p->bias);
}

static void run(const struct product *p, const float *x, size_t rows, float *y)
{
    struct tile_result result = {y, matmul_outputs(p->matmul), TILE_F32};
    size_t bytes = matmul_operand_bytes(p->matmul), inputs = matmul_inputs(p->matmul);
    char *operands = alloc_aligned(tile_padded(rows, MATMUL_STEP), bytes);
    assert_non_null(operands);
    for (size_t i = 0; i < rows; i++)
        matmul_operand(p->matmul, x + i * inputs, operands + i * bytes);
    for (size_t panel = 0; panel < matmul_panels(p->matmul); panel++)
        matmul_run(p->matmul, panel, operands, rows, &result);
    free(operands);
}

/* Odd shapes, and those of the default model and of bge-m3. */
static const size_t shapes[][2] = {{1, 1},      {5, 3},       {32, 32},    {100, 48},
                                   {96, 40},    {129, 257},   {600, 300},  {1152, 384},
                                   {384, 1536}, {1024, 1024}, {520, 4096}, {72, 1027}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void check_values(enum cpu_level level, size_t outputs, size_t inputs)
{
    enum { ROWS = 37, ROOM = 48 };
    struct product p;
    product_open(&p, level, outputs, inputs);
    float *x = random_rows(ROOM, inputs), *y = random_rows(ROOM, outputs);
    run(&p, x, ROWS, y);
    for (size_t i = 0; i < ROWS; i += 5)
        for (size_t j = 0; j < outputs; j += 1 + outputs / 50) {
            double sum = p.bias[j];
            for (size_t k = 0; k < inputs; k++)
                sum += (double)x[i * inputs + k] * p.weights[j * inputs + k];
            assert_true(fabs(y[i * outputs + j] - sum) < 1e-5 * sqrt((double)inputs) + 1e-6);
        }
    product_close(&p);
    free(x);
    free(y);
}

static void a_product_agrees_with_one_in_double_precision(void **state)
{
    (void)state;
    for (int level = CPU_SCALAR; level <= CPU_AVX512; level++)
        for (size_t i = 0; i < SHAPES; i++)
            if (cpu_has((enum cpu_level)level))
                check_values((enum cpu_level)level, shapes[i][0], shapes[i][1]);
}

/* Rows first .. first + rows of x as a block of their own. */
static void check_block(const struct product *p, const float *x, const float *whole,
                        size_t first, size_t rows, size_t inputs, size_t outputs)
{
    float *part = random_rows(MATMUL_ROWS, inputs), *y = random_rows(MATMUL_ROWS, outputs);
    memcpy(part, x + first * inputs, rows * inputs * sizeof *x);
    run(p, part, rows, y);
    assert_memory_equal(y, whole + first * outputs, rows * outputs * sizeof *y);
    free(part);
    free(y);
}

static void check_bits(enum cpu_level level, size_t outputs, size_t inputs)
{
    static const size_t blocks[][2] = {{0, 1},  {7, 1},   {127, 1},  {3, 5},  {0, 16},
                                       {9, 17}, {40, 37}, {20, 100}, {1, 127}};
    struct product p;
    product_open(&p, level, outputs, inputs);
    float *x = random_rows(MATMUL_ROWS, inputs), *whole = random_rows(MATMUL_ROWS, outputs);
    run(&p, x, MATMUL_ROWS, whole);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        check_block(&p, x, whole, blocks[i][0], blocks[i][1], inputs, outputs);
    product_close(&p);
    free(x);
    free(whole);
}

static void a_row_has_the_same_bits_in_every_block(void **state)
{
    (void)state;
    for (int level = CPU_NEON; level <= CPU_AVX512; level++)
        for (size_t i = 0; i < SHAPES; i++)
            if (cpu_has((enum cpu_level)level))
                check_bits((enum cpu_level)level, shapes[i][0], shapes[i][1]);
    check_bits(CPU_SCALAR, 129, 257);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_agrees_with_one_in_double_precision),
        cmocka_unit_test(a_row_has_the_same_bits_in_every_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
