/*
 * Uses a model file in C: predict_model MODEL.npz < rows > probabilities, both raw reals of the model's dtype.
 *
 * A model is a zip archive whose members are stored as they are (no compression), each a .npy array; the central
 * directory at the end says where. sigmax.files lists the arrays. This program takes models without preparation and
 * temperature, and says so for others; of a file of version 2, it ignores what the file allows to ignore. It needs a
 * little-endian machine, as the files are.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sigmax.h"

typedef struct bytes {
    const unsigned char *data;
    size_t size;
} bytes;

static void fail(const char *text)
{
    fprintf(stderr, "predict_model: %s\n", text);
    exit(1);
}

/* An unsigned little-endian number of n bytes at an offset; what is not in the file ends the program. */
static size_t number(bytes file, size_t offset, size_t n)
{
    if (offset > file.size || file.size - offset < n) fail("the file is cut short");
    uint64_t value = 0;
    for (size_t i = n; i-- > 0;) value = value << 8 | file.data[offset + i];
    return (size_t)value;
}

/* The numbers of the array `name`, behind its .npy header; data is NULL when there is no such array. */
static bytes find(bytes file, const char *name)
{
    const size_t end = file.size - 22; /* the end record, which has no comment */
    const size_t n_members = number(file, end + 10, 2);
    size_t entry = number(file, end + 16, 4); /* of the central directory */
    for (size_t i = 0; i < n_members; i++) {
        const size_t name_length = number(file, entry + 28, 2);
        const size_t size = number(file, entry + 24, 4), local = number(file, entry + 42, 4);
        number(file, entry + 46, name_length + 1);
        if (name_length == strlen(name) && memcmp(file.data + entry + 46, name, name_length) == 0) {
            const size_t start = local + 30 + number(file, local + 26, 2) + number(file, local + 28, 2);
            const size_t header = 10 + number(file, start + 8, 2); /* version 1.0 of the format */
            if (size < header || start > file.size || file.size - start < size) fail("the file is cut short");
            return (bytes){file.data + start + header, size - header};
        }
        entry += 46 + name_length + number(file, entry + 30, 2) + number(file, entry + 32, 2);
    }
    return (bytes){NULL, 0};
}

/* Ends the program where a file of version 2 needs an array that this one does not know: the names stand in quotes. */
static void check_required_fields(bytes names)
{
    static const char *const known[] = {"sizes", "dtype", "parameters"};
    for (size_t i = 0; i < names.size; i++) {
        if (names.data[i] != '"') continue;
        const unsigned char *name = names.data + ++i;
        size_t length = 0;
        while (i < names.size && names.data[i] != '"') i++, length++;
        int is_known = 0;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            is_known |= length == strlen(known[k]) && memcmp(name, known[k], length) == 0;
        if (!is_known) {
            fprintf(stderr, "predict_model: the model needs %.*s, which this program does not know\n", (int)length,
                    (const char *)name);
            exit(1);
        }
    }
}

static bytes read_all(FILE *stream)
{
    size_t capacity = 1 << 16, size = 0;
    unsigned char *data = malloc(capacity);
    for (;;) {
        if (data == NULL) fail("not enough memory");
        size += fread(data + size, 1, capacity - size, stream);
        if (size < capacity) return (bytes){data, size};
        capacity *= 2;
        data = realloc(data, capacity);
    }
}

int main(int argc, char **argv)
{
    FILE *stream = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (stream == NULL) fail("expected a model file");
    const bytes file = read_all(stream);
    fclose(stream);
    if (file.size < 22 || memcmp(file.data, "PK\3\4", 4) != 0) fail("no model file");
    const bytes version = find(file, "format_version.npy");
    if (!version.data || number(version, 0, 8) > 2) fail("no model file, or one of a later version");
    if (find(file, "preparation_scale.npy").data || find(file, "preparation_fill.npy").data)
        fail("the model prepares its input, which this program does not");
    if (find(file, "temperature.npy").data) fail("the model has a temperature, which this program ignores");
    check_required_fields(find(file, "required_fields.npy"));

    const bytes stored_sizes = find(file, "sizes.npy"), stored = find(file, "parameters.npy");
    const bytes dtype = find(file, "dtype.npy"); /* "float32" or "float64", four bytes for each character */
    if (!stored_sizes.data || !stored.data || dtype.size < 28) fail("no model file");
    size_t sizes[64], n_sizes = stored_sizes.size / 8;
    if (n_sizes > 64) fail("more layers than this program takes");
    for (size_t i = 0; i < n_sizes; i++) sizes[i] = number(stored_sizes, 8 * i, 8);

    const size_t width = dtype.data[4 * 5] == '3' ? 4 : 8;
    sigmax_network *network = NULL;
    int status = sigmax_network_create(&network, (int)width, sizes, n_sizes);
    if (status != SIGMAX_OK) fail(sigmax_status_text(status));
    if (stored.size != sigmax_parameter_count(network) * width) fail("sizes and parameters do not match");

    const bytes rows = read_all(stdin);
    const size_t n_rows = rows.size / (width * sizes[0]), n_out = n_rows * sizes[n_sizes - 1];
    void *parameters = malloc(stored.size), *probabilities = malloc(n_out * width + 1);
    if (parameters == NULL || probabilities == NULL) fail("not enough memory");
    memcpy(parameters, stored.data, stored.size); /* in the file they stand at any address */
    status = sigmax_predict_proba(network, parameters, 1.0, rows.data, n_rows, probabilities);
    if (status != SIGMAX_OK) fail(sigmax_status_text(status));
    fwrite(probabilities, width, n_out, stdout);
    free(probabilities);
    free(parameters);
    free((void *)rows.data);
    free((void *)file.data);
    sigmax_network_free(network);
    return 0;
}
