/* Calls that show one state key (or two) each: a name and a key are all there is to say. */
#include <stdio.h>

#include "nvml_sim.h"

static nvmlReturn_t show_u32(const char *function, nvmlDevice_t device, const char *key, unsigned *value) {
    nvmlReturn_t code = device_begin(function, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !value) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = gpu_u32(device->gpu, key, value);
    return call_end(code);
}

#define SHOW_U32(function, key)                                                  \
    EXPORT nvmlReturn_t function(nvmlDevice_t device, unsigned *value) {         \
        return show_u32(#function, device, key, value);                          \
    }

SHOW_U32(nvmlDeviceGetArchitecture, "architecture")
SHOW_U32(nvmlDeviceGetBoardId, "board_id")
SHOW_U32(nvmlDeviceGetBrand, "brand")
SHOW_U32(nvmlDeviceGetComputeMode, "compute_mode")
SHOW_U32(nvmlDeviceGetCurrPcieLinkGeneration, "pcie.generation")
SHOW_U32(nvmlDeviceGetCurrPcieLinkWidth, "pcie.width")
SHOW_U32(nvmlDeviceGetDefaultEccMode, "ecc.default")
SHOW_U32(nvmlDeviceGetDisplayActive, "display_active")
SHOW_U32(nvmlDeviceGetDisplayMode, "display_mode")
SHOW_U32(nvmlDeviceGetEnforcedPowerLimit, "power.enforced_limit")
SHOW_U32(nvmlDeviceGetGpuMaxPcieLinkGeneration, "pcie.gpu_max_generation")
SHOW_U32(nvmlDeviceGetMaxPcieLinkGeneration, "pcie.max_generation")
SHOW_U32(nvmlDeviceGetMaxPcieLinkWidth, "pcie.max_width")
SHOW_U32(nvmlDeviceGetMemoryBusWidth, "memory.bus_width")
SHOW_U32(nvmlDeviceGetMultiGpuBoard, "multi_gpu_board")
SHOW_U32(nvmlDeviceGetNumFans, "fans")
SHOW_U32(nvmlDeviceGetNumGpuCores, "cores")
SHOW_U32(nvmlDeviceGetNumaNodeId, "numa_node")
SHOW_U32(nvmlDeviceGetPcieReplayCounter, "pcie.replay")
SHOW_U32(nvmlDeviceGetPcieSpeed, "pcie.speed")
SHOW_U32(nvmlDeviceGetPerformanceState, "performance_state")
SHOW_U32(nvmlDeviceGetPersistenceMode, "persistence")
SHOW_U32(nvmlDeviceGetPowerManagementDefaultLimit, "power.default_limit")
SHOW_U32(nvmlDeviceGetPowerManagementLimit, "power.limit")
SHOW_U32(nvmlDeviceGetPowerManagementMode, "power.management")
SHOW_U32(nvmlDeviceGetPowerState, "performance_state")
SHOW_U32(nvmlDeviceGetPowerUsage, "power.usage")
SHOW_U32(nvmlDeviceGetRetiredPagesPendingStatus, "retired_pages.pending")
SHOW_U32(nvmlDeviceGetVirtualizationMode, "virtualization_mode")

static nvmlReturn_t show_u64(const char *function, nvmlDevice_t device, const char *key,
                             unsigned long long *value) {
    uint64_t number = 0;
    nvmlReturn_t code = device_begin(function, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !value) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = gpu_u64(device->gpu, key, &number);
    if (code == NVML_SUCCESS) *value = number;
    return call_end(code);
}

#define SHOW_U64(function, key)                                                  \
    EXPORT nvmlReturn_t function(nvmlDevice_t device, unsigned long long *value) { \
        return show_u64(#function, device, key, value);                          \
    }

SHOW_U64(nvmlDeviceGetCurrentClocksEventReasons, "clocks_event_reasons")
SHOW_U64(nvmlDeviceGetCurrentClocksThrottleReasons, "clocks_event_reasons")
SHOW_U64(nvmlDeviceGetSupportedClocksEventReasons, "clocks_event_reasons.supported")
SHOW_U64(nvmlDeviceGetSupportedClocksThrottleReasons, "clocks_event_reasons.supported")
SHOW_U64(nvmlDeviceGetSupportedEventTypes, "supported_events")
SHOW_U64(nvmlDeviceGetTotalEnergyConsumption, "energy")

static nvmlReturn_t show_text(const char *function, nvmlDevice_t device, const char *key, char *text,
                              unsigned size) {
    nvmlReturn_t code = device_begin(function, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !text) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = gpu_text(device->gpu, key, text, size);
    return call_end(code);
}

#define SHOW_TEXT(function, key)                                                 \
    EXPORT nvmlReturn_t function(nvmlDevice_t device, char *text, unsigned size) { \
        return show_text(#function, device, key, text, size);                    \
    }

SHOW_TEXT(nvmlDeviceGetBoardPartNumber, "part_number")
SHOW_TEXT(nvmlDeviceGetInforomImageVersion, "inforom")
SHOW_TEXT(nvmlDeviceGetName, "name")
SHOW_TEXT(nvmlDeviceGetVbiosVersion, "vbios")

EXPORT nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(nvmlDevice_t device, char *text) {
    enum { GSP_VERSION_SIZE = 64 };
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !text) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code != NVML_SUCCESS) return call_end(code);
    const char *set = gpu_get(device->gpu, "gsp.version");
    return call_end(copy_text(set ? set : driver_version(), text, GSP_VERSION_SIZE));
}

static nvmlReturn_t show_pair(const char *function, nvmlDevice_t device, const char *key_one,
                              unsigned *one, const char *key_two, unsigned *two) {
    nvmlReturn_t code = device_begin(function, device, REACH_WORKING);
    if (code == NVML_SUCCESS && (!one || !two)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = gpu_u32(device->gpu, key_one, one);
    if (code == NVML_SUCCESS) code = gpu_u32(device->gpu, key_two, two);
    return call_end(code);
}

#define SHOW_PAIR(function, key_one, key_two)                                              \
    EXPORT nvmlReturn_t function(nvmlDevice_t device, unsigned *one, unsigned *two) {      \
        return show_pair(#function, device, key_one, one, key_two, two);                   \
    }

SHOW_PAIR(nvmlDeviceGetEccMode, "ecc.current", "ecc.pending")
SHOW_PAIR(nvmlDeviceGetGspFirmwareMode, "gsp.enabled", "gsp.default")
SHOW_PAIR(nvmlDeviceGetMigMode, "mig.current", "mig.pending")
SHOW_PAIR(nvmlDeviceGetPowerManagementLimitConstraints, "power.min_limit", "power.max_limit")

static nvmlReturn_t show_chosen(const char *function, nvmlDevice_t device, const char *const *keys,
                                size_t count, unsigned choice, unsigned *value) {
    nvmlReturn_t code = device_begin(function, device, REACH_WORKING);
    if (code == NVML_SUCCESS && (choice >= count || !value)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = gpu_u32(device->gpu, keys[choice], value);
    return call_end(code);
}

/* A call whose second argument chooses among keys. */
#define SHOW_CHOSEN(function, ...)                                                         \
    EXPORT nvmlReturn_t function(nvmlDevice_t device, unsigned choice, unsigned *value) {  \
        static const char *const keys[] = {__VA_ARGS__};                                   \
        return show_chosen(#function, device, keys, COUNT(keys), choice, value);           \
    }

SHOW_CHOSEN(nvmlDeviceGetTemperature, "temperature")
SHOW_CHOSEN(nvmlDeviceGetTemperatureThreshold, "threshold.shutdown", "threshold.slowdown",
            "threshold.memory_max", "threshold.gpu_max", "threshold.acoustic_min",
            "threshold.acoustic_current", "threshold.acoustic_max", "threshold.gps_current")
SHOW_CHOSEN(nvmlDeviceGetClockInfo, "clock.graphics", "clock.sm", "clock.memory", "clock.video")
SHOW_CHOSEN(nvmlDeviceGetMaxClockInfo, "clock.max.graphics", "clock.max.sm", "clock.max.memory",
            "clock.max.video")
SHOW_CHOSEN(nvmlDeviceGetApplicationsClock, "clock.application.graphics", "clock.application.sm",
            "clock.application.memory", "clock.application.video")
SHOW_CHOSEN(nvmlDeviceGetDefaultApplicationsClock, "clock.application.graphics",
            "clock.application.sm", "clock.application.memory", "clock.application.video")
SHOW_CHOSEN(nvmlDeviceGetPcieThroughput, "pcie.transmit", "pcie.receive")

EXPORT nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor) {
    char text[16];
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && (!major || !minor)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = gpu_text(device->gpu, "compute_capability", text, sizeof text);
    if (code == NVML_SUCCESS && sscanf(text, "%d.%d", major, minor) != 2) code = NVML_ERROR_UNKNOWN;
    return call_end(code);
}
