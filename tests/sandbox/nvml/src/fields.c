/* nvmlDeviceGetFieldValues: a batch of numbered values, each with a return code of its own. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "nvml_sim.h"

/* What a field shows: a state key that a call shows too, or `field.<id>` where `key` is NULL.
 * Types as an H100 gave them (driver 580.159.04). */
struct field {
    unsigned first, last;
    unsigned type;
    const char *key;
};

static const struct field fields[] = {
    {1, 1, VALUE_U64, "ecc.current"},
    {2, 2, VALUE_U64, "ecc.pending"},
    {29, 29, VALUE_U64, "retired_pages.single_bit"},
    {30, 30, VALUE_U64, "retired_pages.double_bit"},
    {31, 31, VALUE_U64, "retired_pages.pending"},
    {74, 81, VALUE_U64, NULL}, /* nanoseconds lost to each clocks event reason */
    {82, 82, VALUE_U32, "temperature.memory"},
    {83, 83, VALUE_U64, "energy"},
    {94, 94, VALUE_U32, "pcie.replay"},
    {95, 95, VALUE_U32, NULL},
    {142, 142, VALUE_U64, "remapped.corrected"},
    {143, 143, VALUE_U64, "remapped.uncorrected"},
    {144, 144, VALUE_U64, "remapped.pending"},
    {145, 145, VALUE_U64, "remapped.failed"},
    {169, 169, VALUE_U32, NULL}, /* PCIe link recoveries */
    {173, 184, VALUE_U32, NULL}, /* PCIe error counters */
    {185, 186, VALUE_U32, "power.usage"},
    {187, 187, VALUE_U32, "power.min_limit"},
    {188, 188, VALUE_U32, "power.max_limit"},
    {189, 189, VALUE_U32, "power.default_limit"},
    {190, 190, VALUE_U32, "power.enforced_limit"},
    {191, 191, VALUE_U64, "energy"},
    {192, 192, VALUE_U32, "power.limit"},
    {193, 193, VALUE_S32, "tlimit.shutdown"},
    {194, 194, VALUE_S32, "tlimit.slowdown"},
    {195, 195, VALUE_S32, "tlimit.memory_max"},
    {196, 196, VALUE_S32, "tlimit.gpu_max"},
    {197, 199, VALUE_U32, NULL},
    {226, 229, VALUE_U32, NULL},
    {230, 230, VALUE_U32, "recovery_action"},
    {269, 271, VALUE_U64, NULL}, /* nanoseconds in thermal slowdown and power brake */
    {301, 301, VALUE_U64, "remapped.corrected_inactive"},
    {302, 302, VALUE_U64, "remapped.uncorrected_inactive"},
};

enum {
    ECC_FIRST = 3,
    ECC_LAST = 6,
    REMAP_FIRST = 142,
    REMAP_LAST = 145,
    LINK_FIRST = 161,
    LINK_LAST = 163,
    UNTOUCHED = 147, /* the H100's driver leaves this field's entry as the caller sent it */
    RECOVERY_ACTION = 230,
    LAST_KNOWN = 302 /* of driver 580; later numbers are invalid to it */
};

static const struct field *find_field(unsigned id) {
    for (size_t i = 0; i < COUNT(fields); i++)
        if (fields[i].first <= id && id <= fields[i].last) return &fields[i];
    return NULL;
}

static void store(nvmlFieldValue_t *field, unsigned type, uint64_t number) {
    memset(&field->value, 0, sizeof field->value);
    field->type = type;
    if (type == VALUE_U32 || type == VALUE_S32)
        field->value.u32 = (unsigned)number;
    else
        field->value.u64 = number;
}

/* Counters of the link that is the field's scope; with MIG active, remapped rows aren't shown. */
static nvmlReturn_t read_special(unsigned gpu, const nvmlFieldValue_t *field, uint64_t *number) {
    static const char *const counters[] = {"replay", "recovery", "crc_flit"};
    if (LINK_FIRST <= field->field && field->field <= LINK_LAST)
        return link_errors(gpu, field->scope, counters[field->field - LINK_FIRST], number);
    if (REMAP_FIRST <= field->field && field->field <= REMAP_LAST && gpu_flag(gpu, "mig.current"))
        return NVML_ERROR_NOT_SUPPORTED;
    return NVML_ERROR_NOT_FOUND;
}

/* ECC totals are sums, not keys: 3 and 4 volatile, 5 and 6 aggregate, corrected first. */
static nvmlReturn_t read_number(unsigned gpu, unsigned id, const char *own, const struct field *known,
                                uint64_t *number) {
    if (gpu_get(gpu, own)) return gpu_u64(gpu, own, number);
    if (ECC_FIRST <= id && id <= ECC_LAST) return ecc_total(gpu, id > 4, id % 2 == 0, number);
    if (known && known->key) return gpu_u64(gpu, known->key, number);
    return id <= LAST_KNOWN ? NVML_ERROR_NOT_SUPPORTED : NVML_ERROR_INVALID_ARGUMENT;
}

static nvmlReturn_t read_field(unsigned gpu, nvmlFieldValue_t *field) {
    char own[MAX_KEY], injected[MAX_KEY];
    uint64_t number = 0, code = 0;
    snprintf(own, sizeof own, "field.%u", field->field);
    snprintf(injected, sizeof injected, "field.%u.return", field->field);
    if (gpu_get(gpu, injected) && gpu_u64(gpu, injected, &code) == NVML_SUCCESS && code)
        return (nvmlReturn_t)code;
    if (field->field != RECOVERY_ACTION && gpu_flag(gpu, "reset_required"))
        return NVML_ERROR_RESET_REQUIRED;
    const struct field *known = find_field(field->field);
    nvmlReturn_t result = read_special(gpu, field, &number);
    if (result == NVML_ERROR_NOT_FOUND) result = read_number(gpu, field->field, own, known, &number);
    if (result == NVML_SUCCESS) store(field, known ? known->type : VALUE_U64, number);
    return result;
}

static long long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

EXPORT nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_IDENTITY);
    if (code == NVML_SUCCESS && (count < 1 || !values)) code = NVML_ERROR_INVALID_ARGUMENT;
    for (int i = 0; code == NVML_SUCCESS && i < count; i++) {
        if (values[i].field == UNTOUCHED) continue;
        values[i].code = read_field(device->gpu, &values[i]);
        values[i].timestamp = now_us();
        values[i].latency = 0;
    }
    return call_end(code);
}
