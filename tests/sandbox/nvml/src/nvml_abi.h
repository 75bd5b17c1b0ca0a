/* The part of NVIDIA's NVML ABI that the simulator answers: return codes and structures.
 * Source of numbers and layouts: nvidia-ml-py 13.615 (pynvml.py). */
#ifndef NVML_ABI_H
#define NVML_ABI_H

#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

typedef int nvmlReturn_t;

enum {
    NVML_SUCCESS = 0,
    NVML_ERROR_UNINITIALIZED = 1,
    NVML_ERROR_INVALID_ARGUMENT = 2,
    NVML_ERROR_NOT_SUPPORTED = 3,
    NVML_ERROR_NO_PERMISSION = 4,
    NVML_ERROR_NOT_FOUND = 6,
    NVML_ERROR_INSUFFICIENT_SIZE = 7,
    NVML_ERROR_DRIVER_NOT_LOADED = 9,
    NVML_ERROR_TIMEOUT = 10,
    NVML_ERROR_GPU_IS_LOST = 15,
    NVML_ERROR_RESET_REQUIRED = 16,
    NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18,
    NVML_ERROR_IN_USE = 19,
    NVML_ERROR_MEMORY = 20,
    NVML_ERROR_ARGUMENT_VERSION_MISMATCH = 25,
    NVML_ERROR_UNKNOWN = 999
};

typedef struct sim_device *nvmlDevice_t;
typedef struct sim_event_set *nvmlEventSet_t;
typedef struct sim_system_event_set *nvmlSystemEventSet_t;

/* A versioned structure carries its own size and version in its first word. */
#define VERSIONED(type, number) ((unsigned)(sizeof(type) | ((unsigned)(number) << 24)))

typedef struct {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
} nvmlPciInfo_t;

typedef struct {
    unsigned version, domain, bus, device, pci_device_id, pci_subsystem_id, base_class, sub_class;
    char bus_id[32];
} nvmlPciInfoExt_v1_t;

typedef struct {
    unsigned long long total, free, used; /* bytes */
} nvmlMemory_t;

typedef struct {
    unsigned version;
    unsigned long long total, reserved, free, used; /* bytes */
} nvmlMemory_v2_t;

typedef struct {
    unsigned gpu, memory; /* percent */
} nvmlUtilization_t;

typedef struct {
    unsigned version, sensor;
    int temperature; /* degrees Celsius */
} nvmlTemperature_v1_t;

typedef struct {
    unsigned version;
    int margin; /* degrees Celsius below the slowdown point */
} nvmlMarginTemperature_v1_t;

typedef struct {
    unsigned version;
    unsigned long long aggregate_unc_parity, aggregate_unc_secded, aggregate_cor;
    unsigned long long volatile_unc_parity, volatile_unc_secded, volatile_cor;
    unsigned long long bucket_l2, bucket_sm, bucket_pcie, bucket_mcu, bucket_other;
    unsigned threshold_exceeded;
} nvmlEccSramErrorStatus_v1_t;

typedef struct {
    unsigned max, high, partial, low, none; /* banks by spare rows left */
} nvmlRowRemapperHistogramValues_t;

typedef struct {
    unsigned corrected_active, corrected_inactive, uncorrected_active, uncorrected_inactive;
    unsigned pending, failed;
} nvmlRemappedRowsInfo_v2_t;

typedef struct {
    unsigned pid;
    unsigned long long used_memory; /* bytes */
    unsigned gpu_instance, compute_instance;
} nvmlProcessInfo_t;

typedef struct {
    unsigned char cluster_uuid[16];
    unsigned status, clique, state;
} nvmlGpuFabricInfo_t;

typedef struct {
    unsigned version;
    unsigned char cluster_uuid[16];
    unsigned status, clique, state, health_mask;
    unsigned char health_summary; /* version 3 only */
} nvmlGpuFabricInfoV_t;

typedef struct {
    unsigned version, value;
} nvmlFlag_v1_t;

typedef struct {
    unsigned version, channel_pending, tpc_pending;
} nvmlRepairStatus_v1_t;

typedef union {
    double d;
    unsigned u32;
    unsigned long ul;
    unsigned long long u64;
    long long s64;
    int s32;
    unsigned short u16;
} nvmlValue_t;

enum { VALUE_DOUBLE, VALUE_U32, VALUE_UL, VALUE_U64, VALUE_S64, VALUE_S32, VALUE_U16 };

typedef struct {
    unsigned field, scope;
    long long timestamp, latency; /* microseconds */
    unsigned type;
    nvmlReturn_t code;
    nvmlValue_t value;
} nvmlFieldValue_t;

typedef struct {
    nvmlDevice_t device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
} nvmlEventData_t;

typedef struct {
    unsigned long long type;
    unsigned gpu_id;
} nvmlSystemEventData_v1_t;

typedef struct {
    unsigned version;
    nvmlSystemEventSet_t set;
} nvmlSystemEventSetRequest_v1_t; /* create and free */

typedef struct {
    unsigned version;
    unsigned long long types;
    nvmlSystemEventSet_t set;
} nvmlSystemRegisterEventRequest_v1_t;

typedef struct {
    unsigned version, timeout_ms;
    nvmlSystemEventSet_t set;
    nvmlSystemEventData_v1_t *data;
    unsigned capacity, count;
} nvmlSystemEventSetWaitRequest_v1_t;

#endif
