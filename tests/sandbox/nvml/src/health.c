/* Memory faults: ECC counters, row remapping, retired pages, repair. */
#include <stdio.h>
#include <string.h>

#include "nvml_sim.h"

static void ecc_key(char key[MAX_KEY], bool aggregate, bool uncorrected, const char *location) {
    snprintf(key, MAX_KEY, "ecc.%s.%s%s", aggregate ? "aggregate" : "volatile",
             uncorrected ? "uncorrected" : "corrected", location);
}

nvmlReturn_t ecc_total(unsigned gpu, bool aggregate, bool uncorrected, uint64_t *total) {
    char key[MAX_KEY];
    uint64_t dram = 0, sram = 0;
    ecc_key(key, aggregate, uncorrected, "");
    if (gpu_get(gpu, key)) return gpu_u64(gpu, key, total);
    ecc_key(key, aggregate, uncorrected, ".dram");
    nvmlReturn_t code = gpu_u64(gpu, key, &dram);
    ecc_key(key, aggregate, uncorrected, ".sram");
    if (code == NVML_SUCCESS) code = gpu_u64(gpu, key, &sram);
    *total = dram + sram;
    return code;
}

/* With ECC off the real driver counts nothing. */
static nvmlReturn_t ecc_ready(unsigned gpu, unsigned error, unsigned counter, const void *out) {
    if (error > 1 || counter > 1 || !out) return NVML_ERROR_INVALID_ARGUMENT;
    return gpu_flag(gpu, "ecc.current") ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

EXPORT nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, unsigned error, unsigned counter,
                                                unsigned long long *count) {
    uint64_t total = 0;
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS) code = ecc_ready(device->gpu, error, counter, count);
    if (code == NVML_SUCCESS) code = ecc_total(device->gpu, counter, error, &total);
    if (code == NVML_SUCCESS) *count = total;
    return call_end(code);
}

static nvmlReturn_t ecc_at(unsigned gpu, bool aggregate, bool uncorrected, unsigned location,
                           unsigned long long *count) {
    static const char *const locations[] = {"l1", "l2", "dram", "registers", "texture", "shared", "cbu", "sram"};
    char key[MAX_KEY], suffix[16];
    uint64_t number = 0;
    if (location >= COUNT(locations)) return NVML_ERROR_INVALID_ARGUMENT;
    snprintf(suffix, sizeof suffix, ".%s", locations[location]);
    ecc_key(key, aggregate, uncorrected, suffix);
    if (!gpu_get(gpu, key)) return NVML_ERROR_NOT_SUPPORTED;
    nvmlReturn_t code = gpu_u64(gpu, key, &number);
    if (code == NVML_SUCCESS) *count = number;
    return code;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, unsigned error, unsigned counter,
                                                    unsigned location, unsigned long long *count) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS) code = ecc_ready(device->gpu, error, counter, count);
    if (code == NVML_SUCCESS) code = ecc_at(device->gpu, counter, error, location, count);
    return call_end(code);
}

#define SRAM(member, key) SLOT(nvmlEccSramErrorStatus_v1_t, member, "sram." key)

EXPORT nvmlReturn_t nvmlDeviceGetSramEccErrorStatus(nvmlDevice_t device, nvmlEccSramErrorStatus_v1_t *status) {
    static const struct slot slots[] = {
        SRAM(aggregate_unc_parity, "aggregate.parity"), SRAM(aggregate_unc_secded, "aggregate.secded"),
        SRAM(aggregate_cor, "aggregate.corrected"), SRAM(volatile_unc_parity, "volatile.parity"),
        SRAM(volatile_unc_secded, "volatile.secded"), SRAM(volatile_cor, "volatile.corrected"),
        SRAM(bucket_l2, "bucket.l2"), SRAM(bucket_sm, "bucket.sm"), SRAM(bucket_pcie, "bucket.pcie"),
        SRAM(bucket_mcu, "bucket.mcu"), SRAM(bucket_other, "bucket.other"),
        SRAM(threshold_exceeded, "threshold_exceeded")};
    if (status && status->version != VERSIONED(nvmlEccSramErrorStatus_v1_t, 1))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    return fill_device_record(__func__, device, status, slots, COUNT(slots));
}

/* Row remapping isn't shown while MIG is active. */
static nvmlReturn_t remap_record(const char *function, nvmlDevice_t device, void *record,
                                 const struct slot *slots, size_t count) {
    nvmlReturn_t code = device_begin(function, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !record) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS && gpu_flag(device->gpu, "mig.current")) code = NVML_ERROR_NOT_SUPPORTED;
    if (code == NVML_SUCCESS) code = fill_slots(device->gpu, record, slots, count);
    return call_end(code);
}

#define REMAPPED(member, key) SLOT(nvmlRemappedRowsInfo_v2_t, member, "remapped." key)
static const struct slot remapped_slots[] = {
    REMAPPED(corrected_active, "corrected"), REMAPPED(corrected_inactive, "corrected_inactive"),
    REMAPPED(uncorrected_active, "uncorrected"), REMAPPED(uncorrected_inactive, "uncorrected_inactive"),
    REMAPPED(pending, "pending"), REMAPPED(failed, "failed")};

EXPORT nvmlReturn_t nvmlDeviceGetRemappedRows_v2(nvmlDevice_t device, nvmlRemappedRowsInfo_v2_t *rows) {
    return remap_record(__func__, device, rows, remapped_slots, COUNT(remapped_slots));
}

EXPORT nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned *corrected, unsigned *uncorrected,
                                              unsigned *pending, unsigned *failed) {
    nvmlRemappedRowsInfo_v2_t rows;
    if (!corrected || !uncorrected || !pending || !failed) return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t code = remap_record(__func__, device, &rows, remapped_slots, COUNT(remapped_slots));
    if (code != NVML_SUCCESS) return code;
    *corrected = rows.corrected_active, *uncorrected = rows.uncorrected_active;
    *pending = rows.pending, *failed = rows.failed;
    return NVML_SUCCESS;
}

#define HISTOGRAM(member) SLOT(nvmlRowRemapperHistogramValues_t, member, "remapper." #member)

EXPORT nvmlReturn_t nvmlDeviceGetRowRemapperHistogram(nvmlDevice_t device,
                                                      nvmlRowRemapperHistogramValues_t *values) {
    static const struct slot slots[] = {HISTOGRAM(max), HISTOGRAM(high), HISTOGRAM(partial),
                                        HISTOGRAM(low), HISTOGRAM(none)};
    return remap_record(__func__, device, values, slots, COUNT(slots));
}

/* The state holds a count; the pages' addresses are made up: 4 KiB apart. */
static nvmlReturn_t retired_pages(const char *function, nvmlDevice_t device, unsigned cause, unsigned *count,
                                  unsigned long long *pages, unsigned long long *times) {
    static const char *const keys[] = {"retired_pages.single_bit", "retired_pages.double_bit"};
    unsigned have = 0;
    nvmlReturn_t code = device_begin(function, device, REACH_WORKING);
    if (code == NVML_SUCCESS && (cause >= COUNT(keys) || !count)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = gpu_u32(device->gpu, keys[cause], &have);
    if (code != NVML_SUCCESS) return call_end(code);
    unsigned room = pages ? *count : 0;
    for (unsigned i = 0; i < have && i < room; i++) {
        pages[i] = 0x1000ULL * (i + 1);
        if (times) times[i] = 0;
    }
    *count = have;
    return call_end(have > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS);
}

EXPORT nvmlReturn_t nvmlDeviceGetRetiredPages(nvmlDevice_t device, unsigned cause, unsigned *count,
                                              unsigned long long *pages) {
    return retired_pages(__func__, device, cause, count, pages, NULL);
}
EXPORT nvmlReturn_t nvmlDeviceGetRetiredPages_v2(nvmlDevice_t device, unsigned cause, unsigned *count,
                                                 unsigned long long *pages, unsigned long long *times) {
    return retired_pages(__func__, device, cause, count, pages, times);
}

EXPORT nvmlReturn_t nvmlDeviceGetRepairStatus(nvmlDevice_t device, nvmlRepairStatus_v1_t *status) {
    static const struct slot slots[] = {SLOT(nvmlRepairStatus_v1_t, channel_pending, "repair.channel"),
                                        SLOT(nvmlRepairStatus_v1_t, tpc_pending, "repair.tpc")};
    if (status && status->version != VERSIONED(nvmlRepairStatus_v1_t, 1))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    return fill_device_record(__func__, device, status, slots, COUNT(slots));
}

EXPORT nvmlReturn_t nvmlDeviceGetUnrepairableMemoryFlag_v1(nvmlDevice_t device, nvmlFlag_v1_t *flag) {
    static const struct slot slots[] = {SLOT(nvmlFlag_v1_t, value, "unrepairable_memory")};
    if (flag && flag->version != VERSIONED(nvmlFlag_v1_t, 1)) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    return fill_device_record(__func__, device, flag, slots, COUNT(slots));
}
