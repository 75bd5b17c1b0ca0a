/* Links between GPUs: NVLink, peer-to-peer, topology, fabric. */
#include <stdio.h>
#include <string.h>

#include "nvml_sim.h"

enum { MAX_LINKS = 18 }; /* of an H100 */

/* `nvlink.<link>.<what>`, else `nvlink.<what>` for all links. */
static nvmlReturn_t link_u64(unsigned gpu, unsigned link, const char *what, uint64_t *value) {
    char one[MAX_KEY], every[MAX_KEY];
    snprintf(one, sizeof one, "nvlink.%u.%s", link, what);
    snprintf(every, sizeof every, "nvlink.%s", what);
    return gpu_u64(gpu, gpu_get(gpu, one) ? one : every, value);
}

static nvmlReturn_t show_link(const char *function, nvmlDevice_t device, unsigned link, const char *what,
                              uint64_t *value) {
    nvmlReturn_t code = device_begin(function, device, REACH_WORKING);
    if (code == NVML_SUCCESS && link >= MAX_LINKS) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = link_u64(device->gpu, link, what, value);
    return call_end(code);
}

#define SHOW_LINK(function, what)                                                            \
    EXPORT nvmlReturn_t function(nvmlDevice_t device, unsigned link, unsigned *value) {      \
        uint64_t number = 0;                                                                 \
        if (!value) return NVML_ERROR_INVALID_ARGUMENT;                                      \
        nvmlReturn_t code = show_link(#function, device, link, what, &number);               \
        if (code == NVML_SUCCESS) *value = (unsigned)number;                                 \
        return code;                                                                         \
    }

SHOW_LINK(nvmlDeviceGetNvLinkState, "state")
SHOW_LINK(nvmlDeviceGetNvLinkVersion, "version")

/* `nvlink.<link>.error.<counter>`, else `nvlink.<link>.error`, else `nvlink.error`. */
nvmlReturn_t link_errors(unsigned gpu, unsigned link, const char *counter, uint64_t *number) {
    char key[MAX_KEY];
    if (link >= MAX_LINKS) return NVML_ERROR_INVALID_ARGUMENT;
    snprintf(key, sizeof key, "nvlink.%u.error.%s", link, counter);
    return gpu_get(gpu, key) ? gpu_u64(gpu, key, number) : link_u64(gpu, link, "error", number);
}

EXPORT nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned link, unsigned counter,
                                                    unsigned long long *value) {
    static const char *const counters[] = {"replay", "recovery", "crc_flit", "crc_data", "ecc_data"};
    uint64_t number = 0;
    if (!value || counter >= COUNT(counters)) return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS) code = link_errors(device->gpu, link, counters[counter], &number);
    if (code == NVML_SUCCESS) *value = number;
    return call_end(code);
}

/* `nvlink.<link>.remote` is the number of the GPU at the other end. */
EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned link,
                                                        nvmlPciInfo_t *pci) {
    uint64_t gpu = 0;
    struct pci_address at;
    if (!pci) return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && link >= MAX_LINKS) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = link_u64(device->gpu, link, "remote", &gpu);
    if (code == NVML_SUCCESS) code = gpu_pci((unsigned)gpu, &at);
    if (code != NVML_SUCCESS) return call_end(code);
    memset(pci, 0, sizeof *pci);
    pci->domain = at.domain, pci->bus = at.bus, pci->device = at.device;
    snprintf(pci->bus_id, sizeof pci->bus_id, "%08X:%02X:%02X.0", at.domain, at.bus, at.device);
    return call_end(NVML_SUCCESS);
}

/* Both GPUs must work; faults injected for the first one apply. */
static nvmlReturn_t show_pairing(const char *function, nvmlDevice_t one, nvmlDevice_t two, const char *key,
                                 nvmlReturn_t to_itself, unsigned *value) {
    nvmlReturn_t code = device_begin(function, one, REACH_WORKING);
    if (code == NVML_SUCCESS && (!device_valid(two) || !value)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS && gpu_flag(two->gpu, "lost")) code = NVML_ERROR_GPU_IS_LOST;
    if (code == NVML_SUCCESS && one == two) code = to_itself;
    if (code == NVML_SUCCESS) code = gpu_u32(one->gpu, key, value);
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t one, nvmlDevice_t two, unsigned capability,
                                           unsigned *status) {
    (void)capability;
    return show_pairing(__func__, one, two, "p2p", NVML_SUCCESS, status);
}

EXPORT nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t one, nvmlDevice_t two, unsigned *level) {
    return show_pairing(__func__, one, two, "topology", NVML_ERROR_NOT_SUPPORTED, level);
}

#define FABRIC(member, key) SLOT(nvmlGpuFabricInfoV_t, member, "fabric." key)
static const struct slot fabric_slots[] = {FABRIC(status, "status"), FABRIC(clique, "clique"),
                                           FABRIC(state, "state"), FABRIC(health_mask, "health_mask"),
                                           FABRIC(health_summary, "health_summary")};
enum { FABRIC_SLOTS_V2 = 4 }; /* no summary */

EXPORT nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, nvmlGpuFabricInfoV_t *info) {
    static const unsigned version_2 = 2U << 24 | 0x24, version_3 = VERSIONED(nvmlGpuFabricInfoV_t, 3);
    if (info && info->version != version_2 && info->version != version_3)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    size_t count = info && info->version == version_2 ? FABRIC_SLOTS_V2 : COUNT(fabric_slots);
    if (info) memset(info->cluster_uuid, 0, sizeof info->cluster_uuid);
    return fill_device_record(__func__, device, info, fabric_slots, count);
}

EXPORT nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *info) {
    nvmlGpuFabricInfoV_t full = {0};
    nvmlReturn_t code = fill_device_record(__func__, device, info ? &full : NULL, fabric_slots, COUNT(fabric_slots));
    if (code == NVML_SUCCESS) *info = (nvmlGpuFabricInfo_t){{0}, full.status, full.clique, full.state};
    return code;
}
