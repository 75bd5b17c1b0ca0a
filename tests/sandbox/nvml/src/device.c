/* Devices: which GPUs there are, and how one gets a handle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "nvml_sim.h"

static struct sim_device devices[MAX_GPUS];

unsigned gpu_limit(void) {
    uint64_t count = 0;
    parse_u64("gpus", state_get("gpus"), &count);
    return count > MAX_GPUS ? MAX_GPUS : (unsigned)count;
}

bool gpu_present(unsigned gpu) { return gpu < gpu_limit() && !gpu_flag(gpu, "absent"); }

nvmlDevice_t device_of(unsigned gpu) {
    devices[gpu].gpu = gpu;
    return &devices[gpu];
}

bool device_valid(nvmlDevice_t device) {
    return device >= devices && device < devices + MAX_GPUS && device->gpu == (unsigned)(device - devices);
}

nvmlReturn_t gpu_uuid(unsigned gpu, char *text, unsigned size) {
    char made[48];
    if (gpu_get(gpu, "uuid")) return gpu_text(gpu, "uuid", text, size);
    snprintf(made, sizeof made, "GPU-00000000-0000-4000-8000-%012u", gpu);
    return copy_text(made, text, size);
}

static bool parse_pci(const char *text, struct pci_address *address) {
    unsigned function;
    return sscanf(text, "%x:%x:%x.%x", &address->domain, &address->bus, &address->device, &function) == 4;
}

/* Without a `pci` line: bus 06, 07 and so on, like the slots of a virtual machine. */
nvmlReturn_t gpu_pci(unsigned gpu, struct pci_address *address) {
    const char *text = gpu_get(gpu, "pci");
    if (!text) {
        *address = (struct pci_address){0, 6 + gpu, 0};
        return NVML_SUCCESS;
    }
    if (parse_pci(text, address)) return NVML_SUCCESS;
    fprintf(stderr, "nvml simulator: key `gpu.%u.pci`: expected 00000000:06:00.0, got `%s`\n", gpu, text);
    return NVML_ERROR_UNKNOWN;
}

static nvmlReturn_t device_count(const char *function, unsigned *count) {
    nvmlReturn_t code = call_begin(function);
    if (code == NVML_SUCCESS && !count) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) {
        *count = 0;
        for (unsigned gpu = 0; gpu < gpu_limit(); gpu++) *count += gpu_present(gpu);
    }
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlDeviceGetCount(unsigned *count) { return device_count(__func__, count); }
EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) { return device_count(__func__, count); }

typedef bool matches_t(unsigned gpu, unsigned position, const void *wanted);

static bool has_position(unsigned gpu, unsigned position, const void *wanted) {
    (void)gpu;
    return position == *(const unsigned *)wanted;
}

static bool has_uuid(unsigned gpu, unsigned position, const void *wanted) {
    char uuid[96];
    (void)position;
    return gpu_uuid(gpu, uuid, sizeof uuid) == NVML_SUCCESS && strcmp(uuid, wanted) == 0;
}

static bool has_pci(unsigned gpu, unsigned position, const void *wanted) {
    struct pci_address own, asked;
    (void)position;
    return gpu_pci(gpu, &own) == NVML_SUCCESS && parse_pci(wanted, &asked) &&
           own.domain == asked.domain && own.bus == asked.bus && own.device == asked.device;
}

/* The first GPU that is there and matches. Faults of that GPU apply: a lost one has no handle. */
static nvmlReturn_t find_device(const char *function, matches_t *matches, const void *wanted,
                                nvmlReturn_t none, nvmlDevice_t *device) {
    nvmlReturn_t code = library_begin(false);
    unsigned position = 0, gpu = 0;
    if (code == NVML_SUCCESS && (!wanted || !device)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code != NVML_SUCCESS) return call_end(code);
    for (; gpu < gpu_limit(); gpu++)
        if (gpu_present(gpu) && matches(gpu, position++, wanted)) break;
    if (gpu == gpu_limit()) {
        code = gate_check(function, NO_GPU);
        return call_end(code == NVML_SUCCESS ? none : code);
    }
    code = device_check(function, gpu, REACH_IDENTITY);
    if (code == NVML_SUCCESS) *device = device_of(gpu);
    return call_end(code);
}

nvmlReturn_t find_gpu_by_pci(const nvmlPciInfo_t *pci, unsigned *gpu) {
    struct pci_address own;
    for (*gpu = 0; *gpu < gpu_limit(); ++*gpu)
        if (gpu_pci(*gpu, &own) == NVML_SUCCESS && own.domain == pci->domain &&
            own.bus == pci->bus && own.device == pci->device)
            return NVML_SUCCESS;
    return NVML_ERROR_NOT_FOUND;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned index, nvmlDevice_t *device) {
    return find_device(__func__, has_position, &index, NVML_ERROR_INVALID_ARGUMENT, device);
}
EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    return find_device(__func__, has_position, &index, NVML_ERROR_INVALID_ARGUMENT, device);
}
EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    return find_device(__func__, has_uuid, uuid, NVML_ERROR_NOT_FOUND, device);
}
EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId(const char *pci, nvmlDevice_t *device) {
    return find_device(__func__, has_pci, pci, NVML_ERROR_NOT_FOUND, device);
}
EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *pci, nvmlDevice_t *device) {
    return find_device(__func__, has_pci, pci, NVML_ERROR_NOT_FOUND, device);
}

EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *text, unsigned size) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_IDENTITY);
    if (code == NVML_SUCCESS) code = text ? gpu_uuid(device->gpu, text, size) : NVML_ERROR_INVALID_ARGUMENT;
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *text, unsigned size) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_IDENTITY);
    char made[32];
    if (code == NVML_SUCCESS && !text) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code != NVML_SUCCESS) return call_end(code);
    snprintf(made, sizeof made, "16500000000%02u", device->gpu);
    bool set = gpu_get(device->gpu, "serial");
    return call_end(set ? gpu_text(device->gpu, "serial", text, size) : copy_text(made, text, size));
}

EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_IDENTITY);
    if (code == NVML_SUCCESS && !minor) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code != NVML_SUCCESS) return call_end(code);
    *minor = device->gpu;
    return call_end(gpu_get(device->gpu, "minor") ? gpu_u32(device->gpu, "minor", minor) : NVML_SUCCESS);
}

EXPORT nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_IDENTITY);
    if (code == NVML_SUCCESS && !index) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code != NVML_SUCCESS) return call_end(code);
    *index = 0;
    for (unsigned gpu = 0; gpu < device->gpu; gpu++) *index += gpu_present(gpu);
    return call_end(NVML_SUCCESS);
}
