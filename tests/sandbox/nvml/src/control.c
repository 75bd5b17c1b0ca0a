/* Calls that change something: persistence, drain, remove, discover. They write the state file. */
#include <stdio.h>
#include <unistd.h>

#include "nvml_sim.h"

static nvmlReturn_t put_flag(unsigned gpu, const char *key, unsigned value) {
    char full[MAX_KEY], text[16];
    if (geteuid() != 0) return NVML_ERROR_NO_PERMISSION;
    snprintf(full, sizeof full, "gpu.%u.%s", gpu, key);
    snprintf(text, sizeof text, "%u", value);
    return state_put(full, text);
}

EXPORT nvmlReturn_t nvmlDeviceSetPersistenceMode(nvmlDevice_t device, unsigned mode) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && mode > 1) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = put_flag(device->gpu, "persistence", mode);
    return call_end(code);
}

static nvmlReturn_t begin_at(const char *function, const nvmlPciInfo_t *pci, unsigned *gpu) {
    nvmlReturn_t code = call_begin(function);
    if (code == NVML_SUCCESS && !pci) code = NVML_ERROR_INVALID_ARGUMENT;
    return code == NVML_SUCCESS ? find_gpu_by_pci(pci, gpu) : code;
}

EXPORT nvmlReturn_t nvmlDeviceModifyDrainState(nvmlPciInfo_t *pci, unsigned state) {
    unsigned gpu;
    nvmlReturn_t code = begin_at(__func__, pci, &gpu);
    if (code == NVML_SUCCESS) code = put_flag(gpu, "drain", state);
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlDeviceQueryDrainState(nvmlPciInfo_t *pci, unsigned *state) {
    unsigned gpu;
    nvmlReturn_t code = begin_at(__func__, pci, &gpu);
    if (code == NVML_SUCCESS && !state) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = gpu_u32(gpu, "drain", state);
    return call_end(code);
}

/* Only a GPU that drains and that nobody uses can be taken away. */
EXPORT nvmlReturn_t nvmlDeviceRemoveGpu(nvmlPciInfo_t *pci) {
    unsigned gpu;
    nvmlReturn_t code = begin_at(__func__, pci, &gpu);
    if (code == NVML_SUCCESS && (!gpu_flag(gpu, "drain") || *gpu_get(gpu, "processes")))
        code = NVML_ERROR_IN_USE;
    if (code == NVML_SUCCESS) code = put_flag(gpu, "absent", 1);
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlDeviceDiscoverGpus(nvmlPciInfo_t *pci) {
    unsigned gpu;
    nvmlReturn_t code = begin_at(__func__, pci, &gpu);
    if (code == NVML_SUCCESS) code = put_flag(gpu, "absent", 0);
    return call_end(code);
}
