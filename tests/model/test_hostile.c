/* No file of weights, however crafted, does more than being refused with a reason. */
#include "support/test.h"

#include "base/file.h"
#include "model/checkpoint.h"
#include "model/files.h"
#include "model/pickle.h"
#include "model/tensors.h"

#include <stdlib.h>

/* A safetensors file of this header and `data_size` zero bytes. */
static rag_status read_header(const char *header, size_t data_size, rag_error *error)
{
    uint64_t header_size = strlen(header);
    size_t size = 8 + header_size + data_size;
    unsigned char *file = calloc(1, size);
    assert_non_null(file);
    memcpy(file, &header_size, 8);
    memcpy(file + 8, header, header_size);
    struct checkpoint *checkpoint;
    assert_ok(checkpoint_new(&checkpoint, error), error);
    rag_status status = safetensors_read(checkpoint, file, size, error);
    if (!status)
        status = checkpoint_finish(checkpoint, error);
    checkpoint_close(checkpoint);
    free(file);
    return status;
}

static void crafted_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header, *says;
    } cases[] = {
        {"", "JSON"},
        {"[]", "JSON object"},
        {"{\"a\": 1, \"a\": 2}", "duplicate"},
        {"{}", "behind the last"},
        {"{\"a\": 1}", "dtype"},
        {"{\"a\": {\"dtype\": \"F7\", \"shape\": [2], \"data_offsets\": [0, 8]}}", "dtype"},
        {"{\"a\": {\"dtype\": \"F32\", \"data_offsets\": [0, 8]}}", "shape"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1,1,1,1,2], \"data_offsets\": [0, 8]}}",
         "dimensions"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [-2], \"data_offsets\": [0, 8]}}",
         "dimension 0"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2.5], \"data_offsets\": [0, 8]}}",
         "dimension 0"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1e300], \"data_offsets\": [0, 8]}}",
         "dimension 0"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0]}}", "offsets"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [8, 0]}}", "outside"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 9]}}", "outside"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [-8, 0]}}", "outside"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [3], \"data_offsets\": [0, 8]}}",
         "does not fit"},
        /* 2^32 * 2^32 elements are 0 if multiplied without a check. */
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [4294967296, 4294967296],"
         " \"data_offsets\": [0, 0]}}",
         "does not fit"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]},"
         " \"b\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}",
         "overlap"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}", "gap"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}",
         "behind the last"},
        {"{\"bert.a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
         " \"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}",
         "two tensors"},
    };
    rag_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_status(RAG_MODEL, read_header(cases[i].header, 8, &error), &error);
        assert_says(&error, cases[i].says);
    }
    assert_ok(read_header("{\"a\": {\"dtype\": \"F32\", \"shape\": [2],"
                          " \"data_offsets\": [0, 8]}}",
                          8, &error),
              &error);
}

static void a_header_larger_than_the_file_is_refused(void **state)
{
    (void)state;
    rag_error error;
    struct checkpoint *checkpoint;
    assert_ok(checkpoint_new(&checkpoint, &error), &error);
    static const uint64_t sizes[] = {1, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 40};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char file[8];
        memcpy(file, &sizes[i], sizeof file);
        for (size_t size = 0; size <= sizeof file; size++)
            assert_status(RAG_MODEL, safetensors_read(checkpoint, file, size, &error), &error);
    }
    checkpoint_close(checkpoint);
}

static rag_status open_data(const char *name, rag_error *error)
{
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/model/%s", TEST_DATA, name);
    struct checkpoint *checkpoint;
    rag_status status = checkpoint_open(folder, &checkpoint, error);
    if (!status)
        checkpoint_close(checkpoint);
    return status;
}

static void what_torch_wrote_but_rag_does_not_read_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"torch-system", "posix.system"},   {"torch-legacy", "torch.save"},
        {"torch-transposed", "contiguous"}, {"torch-nested", "state dict"},
        {"torch-compressed", "compressed"},
    };
    rag_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_status(RAG_MODEL, open_data(cases[i][0], &error), &error);
        assert_says(&error, cases[i][1]);
        assert_says(&error, "pytorch_model.bin");
    }
}

static rag_status ignore(const struct pickled_tensor *tensor, void *user, rag_error *error)
{
    (void)tensor, (void)user, (void)error;
    return RAG_OK;
}

#define BYTES(text) (const unsigned char *)(text), sizeof(text) - 1

static void pickles_that_do_something_are_refused(void **state)
{
    (void)state;
    static const struct {
        const unsigned char *data;
        size_t size;
        const char *says;
    } cases[] = {
        {BYTES(""), "cut short"},
        {BYTES("\x80\x02"), "cut short"},
        {BYTES("\x80\x09."), "protocol"},
        {BYTES("."), "something else than a dict"},
        {BYTES("N."), "something else than a dict"},
        {BYTES("cos\nsystem\n(S'x'\ntR."), "os.system at byte 0"},
        {BYTES("cbuiltins\neval\n."), "builtins.eval"},
        {BYTES("ctorch\nload\n."), "torch.load"},
        {BYTES("\x8c\x02os\x8c\x06system\x93."), "os.system at byte 12"},
        {BYTES("(cos\nsystem\nS'x'\no."), "os.system"},
        {BYTES("(iposix\nsystem\n."), "opcode 0x69 at byte 1"},
        {BYTES("}\x81."), "opcode 0x81 at byte 1"},
        {BYTES("\x82\x01."), "opcode 0x82 at byte 0"},
        {BYTES("ccollections\nOrderedDict\n}R."), "a call of something else"},
        {BYTES("ctorch\nFloatStorage\n)R."), "byte 21"},
        {BYTES("R."), "stack"},
        {BYTES("t."), "no mark"},
        {BYTES("u."), "no mark"},
        {BYTES("e."), "no mark"},
        {BYTES("(e."), "no list"},
        {BYTES("((s."), "stack"},
        {BYTES("NNNs."), "else than a dict"},
        {BYTES("}(Nu."), "stack"},
        {BYTES("(Nt)s."), "stack"},
        {BYTES("h\x00."), "memo"},
        {BYTES("q\x00."), "memo"},
        {BYTES("}q\x05."), "memo"},
        {BYTES("j\xff\xff\xff\xff."), "memo"},
        {BYTES("NQ."), "storage"},
        {BYTES("(NNNNNtQ."), "storage"},
        {BYTES("X\xff\xff\xff\xff"
               "abc."),
         "cut short"},
        {BYTES("\x8a\x09"
               "123456789."),
         "8 bytes"},
        {BYTES("J\x01"), "cut short"},
        {BYTES("}X\x01\x00\x00\x00"
               "aNs."),
         "state dict"},
        {BYTES("}NNs."), "state dict"},
        /* A dict within itself is found to be no tensor, not walked forever. */
        {BYTES("}q\x00\x8c\x01"
               "ah\x00s."),
         "state dict"},
    };
    rag_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rag_status status = pickle_read(cases[i].data, cases[i].size, ignore, NULL, &error);
        if (status != RAG_MODEL)
            print_error("case %zu\n", i);
        assert_int_equal(status, RAG_MODEL);
        assert_says(&error, cases[i].says);
    }
    assert_ok(pickle_read(BYTES("\x80\x02}q\x00."), ignore, NULL, &error), &error);
}

static void a_pickle_of_endless_values_is_bounded(void **state)
{
    (void)state;
    size_t size = (size_t)PICKLE_MAX_VALUES + 2;
    unsigned char *pickle = malloc(size);
    assert_non_null(pickle);
    memset(pickle, 'N', size);
    rag_error error;
    assert_status(RAG_MODEL, pickle_read(pickle, size, ignore, NULL, &error), &error);
    assert_says(&error, "too many values");
    free(pickle);
}

static rag_status read_torch(const unsigned char *data, size_t size, rag_error *error)
{
    struct checkpoint *checkpoint;
    assert_ok(checkpoint_new(&checkpoint, error), error);
    rag_status status = torch_read(checkpoint, "", data, size, error);
    checkpoint_close(checkpoint);
    return status;
}

/* A copy in memory of its own size, so that a sanitizer sees a read beyond it. */
static unsigned char *copy_of(const void *data, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    return copy;
}

static struct buf read_data(const char *path)
{
    struct buf content = BUF_INIT(1 << 20);
    rag_error error;
    assert_ok(file_read(path, &content, &error), &error);
    return content;
}

static void a_zip_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    struct buf whole = read_data(TEST_DATA "/model/torch-f32/pytorch_model.bin");
    rag_error error;
    for (size_t size = 0; size < whole.size; size++) {
        unsigned char *copy = copy_of(whole.data, size);
        assert_status(RAG_MODEL, read_torch(copy, size, &error), &error);
        free(copy);
    }
    assert_ok(read_torch((unsigned char *)whole.data, whole.size, &error), &error);
    buf_release(&whole);
}

/* With any byte changed a file is read or refused: the sanitizers watch. */
static void flip_each_byte(const char *path, bool torch)
{
    struct buf whole = read_data(path);
    rag_error error;
    static const unsigned char masks[] = {0x01, 0x80, 0xff};
    for (size_t i = 0; i < sizeof masks * whole.size; i++) {
        unsigned char *copy = copy_of(whole.data, whole.size);
        copy[i / sizeof masks] ^= masks[i % sizeof masks];
        struct checkpoint *checkpoint;
        assert_ok(checkpoint_new(&checkpoint, &error), &error);
        rag_status status = torch ? torch_read(checkpoint, "", copy, whole.size, &error)
                                  : safetensors_read(checkpoint, copy, whole.size, &error);
        assert_true(status == RAG_OK || status == RAG_MODEL);
        for (size_t t = 0; t < checkpoint_count(checkpoint); t++) {
            float out[64];
            const struct tensor *tensor = checkpoint_at(checkpoint, t);
            assert_true(tensor->elements <= 64);
            tensor_read_f32(tensor, 0, tensor->elements, out);
        }
        checkpoint_close(checkpoint);
        free(copy);
    }
    buf_release(&whole);
}

static void a_changed_byte_never_leads_outside_the_file(void **state)
{
    (void)state;
    flip_each_byte(TEST_DATA "/model/torch-f32/pytorch_model.bin", true);
    flip_each_byte(TEST_DATA "/model/torch-protocol-4/pytorch_model.bin", true);
    flip_each_byte(TEST_DATA "/model/f16/model.safetensors", false);
}

static void an_index_cannot_lead_out_of_the_folder(void **state)
{
    (void)state;
    static const char *const shards[] = {
        "../f32/model.safetensors",
        "/etc/passwd",
        "a/model.safetensors",
        ".safetensors",
        "..",
        "",
        "model.bin",
    };
    rag_error error;
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++) {
        char *folder = folder_make(), index[256];
        snprintf(index, sizeof index, "{\"weight_map\": {\"a\": \"%s\"}}", shards[i]);
        put(folder, "model.safetensors.index.json", index);
        struct checkpoint *checkpoint;
        assert_status(RAG_MODEL, checkpoint_open(folder, &checkpoint, &error), &error);
        assert_says(&error, "of this folder");
        folder_drop(folder);
    }
}

static void an_index_and_its_shards_must_agree(void **state)
{
    (void)state;
    char *folder = folder_make();
    struct checkpoint *checkpoint;
    rag_error error;
    put_copy(folder, "x.safetensors", TEST_DATA "/model/f32/model.safetensors");
    put(folder, "model.safetensors.index.json",
        "{\"weight_map\": {\"logit_scale\": \"x.safetensors\", \"b\": \"x.safetensors\"}}");
    assert_status(RAG_MODEL, checkpoint_open(folder, &checkpoint, &error), &error);
    assert_says(&error, "tensor b is in none");
    put(folder, "model.safetensors.index.json", "{\"weight_map\": {\"a\": \"y.safetensors\"}}");
    assert_status(RAG_MODEL, checkpoint_open(folder, &checkpoint, &error), &error);
    assert_says(&error, "y.safetensors");
    put(folder, "model.safetensors.index.json", "{\"weight_map\": []}");
    assert_status(RAG_MODEL, checkpoint_open(folder, &checkpoint, &error), &error);
    assert_says(&error, "weight_map");
    folder_drop(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crafted_headers_are_refused),
        cmocka_unit_test(a_header_larger_than_the_file_is_refused),
        cmocka_unit_test(what_torch_wrote_but_rag_does_not_read_is_refused_with_a_reason),
        cmocka_unit_test(pickles_that_do_something_are_refused),
        cmocka_unit_test(a_pickle_of_endless_values_is_bounded),
        cmocka_unit_test(a_zip_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_changed_byte_never_leads_outside_the_file),
        cmocka_unit_test(an_index_cannot_lead_out_of_the_folder),
        cmocka_unit_test(an_index_and_its_shards_must_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
