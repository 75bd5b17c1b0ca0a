/* Typed reads of the state. A value that can't be read is said on stderr and answers UNKNOWN. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvml_sim.h"

static nvmlReturn_t complain(const char *key, const char *problem) {
    fprintf(stderr, "nvml simulator: key `%s`: %s\n", key, problem);
    return NVML_ERROR_UNKNOWN;
}

nvmlReturn_t parse_u64(const char *key, const char *text, uint64_t *value) {
    char *end;
    if (!text) return complain(key, "has no value and no default");
    if (strcmp(text, "not_supported") == 0) return NVML_ERROR_NOT_SUPPORTED;
    errno = 0;
    /* A negative number (a margin) wraps and comes back right when cast to a signed type. */
    uint64_t number = strtoull(text, &end, 0);
    if (errno || end == text || *end) return complain(key, "expected an integer or `not_supported`");
    *value = number;
    return NVML_SUCCESS;
}

nvmlReturn_t gpu_u64(unsigned gpu, const char *key, uint64_t *value) {
    return parse_u64(key, gpu_get(gpu, key), value);
}

nvmlReturn_t gpu_u32(unsigned gpu, const char *key, unsigned *value) {
    uint64_t number;
    nvmlReturn_t code = gpu_u64(gpu, key, &number);
    if (code == NVML_SUCCESS) *value = (unsigned)number;
    return code;
}

nvmlReturn_t copy_text(const char *value, char *text, unsigned size) {
    if (strlen(value) >= size) return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(text, value);
    return NVML_SUCCESS;
}

nvmlReturn_t gpu_text(unsigned gpu, const char *key, char *text, unsigned size) {
    const char *value = gpu_get(gpu, key);
    if (!value) return complain(key, "has no value and no default");
    if (strcmp(value, "not_supported") == 0) return NVML_ERROR_NOT_SUPPORTED;
    return copy_text(value, text, size);
}

bool gpu_flag(unsigned gpu, const char *key) {
    uint64_t value = 0;
    return gpu_u64(gpu, key, &value) == NVML_SUCCESS && value != 0;
}
