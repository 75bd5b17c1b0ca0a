/* System event sets: driver unbound from (0x1) and bound to (0x2) a GPU. Lines of `nvml.events`:
 *     <sequence> gpu=<number> system=<mask> */
#include <stdio.h>
#include <stdlib.h>

#include "events.h"

struct sim_system_event_set {
    unsigned long long types;
    long offset;
};

EXPORT nvmlReturn_t nvmlSystemEventSetCreate(nvmlSystemEventSetRequest_v1_t *request) {
    nvmlReturn_t code = call_begin(__func__);
    if (code == NVML_SUCCESS && !request) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS && request->version != VERSIONED(nvmlSystemEventSetRequest_v1_t, 1))
        code = NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (code == NVML_SUCCESS) {
        request->set = calloc(1, sizeof *request->set);
        if (!request->set) code = NVML_ERROR_MEMORY;
    }
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlSystemEventSetFree(nvmlSystemEventSetRequest_v1_t *request) {
    nvmlReturn_t code = call_begin(__func__);
    if (code == NVML_SUCCESS && (!request || !request->set)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) free(request->set);
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlSystemRegisterEvents(nvmlSystemRegisterEventRequest_v1_t *request) {
    nvmlReturn_t code = call_begin(__func__);
    if (code == NVML_SUCCESS && (!request || !request->set)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) {
        request->set->types |= request->types;
        request->set->offset = events_end();
    }
    return call_end(code);
}

/* The number by which the driver knows a GPU: its PCI address in one word. */
static unsigned gpu_id(unsigned gpu) {
    struct pci_address at = {0, 0, 0};
    gpu_pci(gpu, &at);
    return at.domain << 16 | at.bus << 8 | at.device;
}

static unsigned take_events(nvmlSystemEventSet_t set, nvmlSystemEventData_v1_t *data, unsigned capacity) {
    char line[MAX_EVENT_LINE];
    long at;
    unsigned count = 0;
    while (count < capacity && events_next(&set->offset, line, &at)) {
        unsigned gpu;
        long long type;
        if (sscanf(line, "%*u gpu=%u system=%lli", &gpu, &type) != 2) continue;
        if (set->types & (unsigned long long)type)
            data[count++] = (nvmlSystemEventData_v1_t){(unsigned long long)type, gpu_id(gpu)};
    }
    return count;
}

static nvmlReturn_t wait_for_events(const char *function, nvmlSystemEventSetWaitRequest_v1_t *request) {
    struct deadline deadline = deadline_in(request->timeout_ms);
    for (;;) {
        request->count = take_events(request->set, request->data, request->capacity);
        unsigned left = deadline_left(&deadline);
        if (request->count) return NVML_SUCCESS;
        if (!left) return NVML_ERROR_TIMEOUT;
        gate_sleep(left < POLL_MS ? left : POLL_MS);
        nvmlReturn_t code = gate_check(function, NO_GPU);
        if (code != NVML_SUCCESS) return code;
    }
}

EXPORT nvmlReturn_t nvmlSystemEventSetWait(nvmlSystemEventSetWaitRequest_v1_t *request) {
    nvmlReturn_t code = call_begin(__func__);
    bool complete = request && request->set && request->data && request->capacity;
    if (code == NVML_SUCCESS && !complete) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = wait_for_events(__func__, request);
    return call_end(code);
}
