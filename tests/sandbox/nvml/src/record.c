/* Calls that fill a structure: memory, utilisation, temperature, PCI address, processes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvml_sim.h"

nvmlReturn_t fill_slots(unsigned gpu, void *record, const struct slot *slots, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        nvmlReturn_t code = gpu_u64(gpu, slots[i].key, &value);
        if (code != NVML_SUCCESS) return code;
        memcpy((char *)record + slots[i].offset, &value, slots[i].size); /* little-endian */
    }
    return NVML_SUCCESS;
}

nvmlReturn_t fill_device_record(const char *function, nvmlDevice_t device, void *record,
                                const struct slot *slots, size_t count) {
    nvmlReturn_t code = device_begin(function, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !record) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = fill_slots(device->gpu, record, slots, count);
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    static const struct slot slots[] = {SLOT(nvmlUtilization_t, gpu, "utilization.gpu"),
                                        SLOT(nvmlUtilization_t, memory, "utilization.memory")};
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !rates) code = NVML_ERROR_INVALID_ARGUMENT;
    /* nvml.h: "On MIG-enabled GPUs, querying device utilization rates is not currently supported." */
    if (code == NVML_SUCCESS && gpu_flag(device->gpu, "mig.current")) code = NVML_ERROR_NOT_SUPPORTED;
    if (code == NVML_SUCCESS) code = fill_slots(device->gpu, rates, slots, COUNT(slots));
    return call_end(code);
}

static nvmlReturn_t memory_of(unsigned gpu, nvmlMemory_v2_t *memory) {
    static const struct slot slots[] = {SLOT(nvmlMemory_v2_t, total, "memory.total"),
                                        SLOT(nvmlMemory_v2_t, reserved, "memory.reserved"),
                                        SLOT(nvmlMemory_v2_t, used, "memory.used")};
    nvmlReturn_t code = fill_slots(gpu, memory, slots, COUNT(slots));
    memory->free = memory->total - memory->reserved - memory->used;
    return code;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !memory) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS && memory->version != VERSIONED(nvmlMemory_v2_t, 2))
        code = NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (code == NVML_SUCCESS) code = memory_of(device->gpu, memory);
    return call_end(code);
}

/* Version 1 knows no reserved part and counts it as used. */
EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    nvmlMemory_v2_t full = {0};
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !memory) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = memory_of(device->gpu, &full);
    if (code == NVML_SUCCESS) *memory = (nvmlMemory_t){full.total, full.free, full.total - full.free};
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    static const struct slot slots[] = {SLOT(nvmlMemory_t, total, "bar1.total"),
                                        SLOT(nvmlMemory_t, used, "bar1.used")};
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !memory) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = fill_slots(device->gpu, memory, slots, COUNT(slots));
    if (code == NVML_SUCCESS) memory->free = memory->total - memory->used;
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_v1_t *reading) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && (!reading || reading->sensor != 0)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS && reading->version != VERSIONED(nvmlTemperature_v1_t, 1))
        code = NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (code == NVML_SUCCESS) code = gpu_u32(device->gpu, "temperature", (unsigned *)&reading->temperature);
    return call_end(code);
}

static nvmlReturn_t margin_of(unsigned gpu, int *margin) {
    unsigned limit = 0, temperature = 0;
    if (gpu_get(gpu, "margin")) return gpu_u32(gpu, "margin", (unsigned *)margin);
    nvmlReturn_t code = gpu_u32(gpu, "threshold.gpu_max", &limit);
    if (code == NVML_SUCCESS) code = gpu_u32(gpu, "temperature", &temperature);
    *margin = (int)limit - (int)temperature;
    return code;
}

EXPORT nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t device, nvmlMarginTemperature_v1_t *out) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !out) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS && out->version != VERSIONED(nvmlMarginTemperature_v1_t, 1))
        code = NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (code == NVML_SUCCESS) code = margin_of(device->gpu, &out->margin);
    return call_end(code);
}

static nvmlReturn_t pci_of(unsigned gpu, nvmlPciInfo_t *pci) {
    struct pci_address at;
    nvmlReturn_t code = gpu_pci(gpu, &at);
    if (code == NVML_SUCCESS) code = gpu_u32(gpu, "pci.device_id", &pci->pci_device_id);
    if (code == NVML_SUCCESS) code = gpu_u32(gpu, "pci.subsystem_id", &pci->pci_subsystem_id);
    if (code != NVML_SUCCESS) return code;
    pci->domain = at.domain, pci->bus = at.bus, pci->device = at.device;
    snprintf(pci->bus_id, sizeof pci->bus_id, "%08X:%02X:%02X.0", at.domain, at.bus, at.device);
    snprintf(pci->bus_id_legacy, sizeof pci->bus_id_legacy, "%04hX:%02hhX:%02hhX.0",
             (unsigned short)at.domain, (unsigned char)at.bus, (unsigned char)at.device);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_IDENTITY);
    if (code == NVML_SUCCESS) code = pci ? pci_of(device->gpu, pci) : NVML_ERROR_INVALID_ARGUMENT;
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlDeviceGetPciInfoExt(nvmlDevice_t device, nvmlPciInfoExt_v1_t *ext) {
    enum { CLASS_DISPLAY = 3, SUBCLASS_3D = 2 };
    nvmlPciInfo_t pci;
    nvmlReturn_t code = device_begin(__func__, device, REACH_IDENTITY);
    if (code == NVML_SUCCESS && !ext) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS && ext->version != VERSIONED(nvmlPciInfoExt_v1_t, 1))
        code = NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (code == NVML_SUCCESS) code = pci_of(device->gpu, &pci);
    if (code != NVML_SUCCESS) return call_end(code);
    *ext = (nvmlPciInfoExt_v1_t){ext->version, pci.domain, pci.bus, pci.device, pci.pci_device_id,
                                 pci.pci_subsystem_id, CLASS_DISPLAY, SUBCLASS_3D, ""};
    memcpy(ext->bus_id, pci.bus_id, sizeof ext->bus_id);
    return call_end(NVML_SUCCESS);
}

enum { NO_INSTANCE = 0xFFFFFFFF };

/* `1234:1073741824, 1240:0`; memory left out or `n/a` means "not available", as with MIG. */
static nvmlReturn_t list_processes(const char *text, unsigned *count, nvmlProcessInfo_t *processes) {
    unsigned room = processes ? *count : 0, found = 0;
    char copy[1024], *rest = copy, *item;
    nvmlReturn_t code = copy_text(text, copy, sizeof copy);
    while (code == NVML_SUCCESS && (item = strsep(&rest, ","))) {
        unsigned pid;
        unsigned long long memory = ~0ULL;
        if (sscanf(item, " %u:%llu", &pid, &memory) < 1) continue;
        if (found < room)
            processes[found] = (nvmlProcessInfo_t){pid, memory, (unsigned)NO_INSTANCE, (unsigned)NO_INSTANCE};
        found++;
    }
    *count = found;
    return code == NVML_SUCCESS && found > room ? NVML_ERROR_INSUFFICIENT_SIZE : code;
}

static nvmlReturn_t show_processes(const char *function, nvmlDevice_t device, const char *key,
                                   unsigned *count, nvmlProcessInfo_t *processes) {
    nvmlReturn_t code = device_begin(function, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !count) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = list_processes(gpu_get(device->gpu, key), count, processes);
    return call_end(code);
}

#define SHOW_PROCESSES(function, key)                                                            \
    EXPORT nvmlReturn_t function(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *list) { \
        return show_processes(#function, device, key, count, list);                              \
    }

SHOW_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, "processes")
SHOW_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, "processes")
SHOW_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, "graphics_processes")
SHOW_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, "graphics_processes")
