/* Event sets. Events are lines of `nvml.events` beside the state file, which only ever grows:
 *     <sequence> gpu=<number> type=<mask> data=<number>
 * A set sees the lines that were appended after it registered the line's GPU and type. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "events.h"

int events_open(long *size) {
    char path[MAX_PATH];
    struct stat info;
    *size = 0;
    int fd = open(sibling_path("nvml.events", path), O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &info) == 0) *size = (long)info.st_size;
    return fd;
}

long events_end(void) {
    long size;
    int fd = events_open(&size);
    if (fd >= 0) close(fd);
    return size;
}

bool events_next(long *offset, char line[MAX_EVENT_LINE], long *at) {
    long size;
    bool found = false;
    int fd = events_open(&size);
    if (fd < 0) return false;
    if (size < *offset) *offset = 0; /* a new file */
    ssize_t got = pread(fd, line, MAX_EVENT_LINE - 1, *offset);
    char *end = got > 0 ? memchr(line, '\n', (size_t)got) : NULL;
    if (end) { /* without the newline the line isn't complete yet */
        *end = '\0';
        *at = *offset;
        *offset += end - line + 1;
        found = true;
    }
    close(fd);
    return found;
}

struct deadline deadline_in(unsigned milliseconds) {
    struct deadline deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline.at);
    deadline.at.tv_sec += milliseconds / 1000;
    deadline.at.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    return deadline;
}

unsigned deadline_left(const struct deadline *deadline) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long left = (deadline->at.tv_sec - now.tv_sec) * 1000000000LL + deadline->at.tv_nsec - now.tv_nsec;
    return left > 0 ? (unsigned)((left + 999999) / 1000000) : 0; /* up: never return early */
}

struct sim_event_set {
    struct {
        unsigned long long types;
        long since; /* lines before this offset are older than the registration */
    } gpu[MAX_GPUS];
    long offset;
};

EXPORT nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set) {
    nvmlReturn_t code = call_begin(__func__);
    if (code == NVML_SUCCESS && !set) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) {
        *set = calloc(1, sizeof **set);
        if (!*set) code = NVML_ERROR_MEMORY;
    }
    if (code == NVML_SUCCESS) (*set)->offset = events_end();
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
    nvmlReturn_t code = call_begin(__func__);
    if (code == NVML_SUCCESS && !set) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) free(set);
    return call_end(code);
}

/* The H100 takes any mask of the low 16 bits, supported or not, and refuses the bits above. */
EXPORT nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types,
                                             nvmlEventSet_t set) {
    nvmlReturn_t code = device_begin(__func__, device, REACH_WORKING);
    if (code == NVML_SUCCESS && !set) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS && types > 0xffff) code = NVML_ERROR_NOT_SUPPORTED;
    if (code == NVML_SUCCESS) {
        set->gpu[device->gpu].types |= types;
        set->gpu[device->gpu].since = events_end();
    }
    return call_end(code);
}

static bool take_event(nvmlEventSet_t set, nvmlEventData_t *data) {
    char line[MAX_EVENT_LINE];
    long at;
    while (events_next(&set->offset, line, &at)) {
        unsigned gpu;
        long long type, number;
        if (sscanf(line, "%*u gpu=%u type=%lli data=%lli", &gpu, &type, &number) != 3) continue;
        if (gpu >= MAX_GPUS || !(set->gpu[gpu].types & (unsigned long long)type)) continue;
        if (at < set->gpu[gpu].since) continue;
        *data = (nvmlEventData_t){device_of(gpu), (unsigned long long)type, (unsigned long long)number,
                                  0xFFFFFFFF, 0xFFFFFFFF}; /* no MIG instance */
        return true;
    }
    return false;
}

/* A lost GPU spoils the wait at once and every time, until a set without it is made. */
static bool has_lost_gpu(nvmlEventSet_t set) {
    for (unsigned gpu = 0; gpu < MAX_GPUS; gpu++)
        if (set->gpu[gpu].types && (gpu_flag(gpu, "lost") || !gpu_present(gpu))) return true;
    return false;
}

static nvmlReturn_t wait_for_event(const char *function, nvmlEventSet_t set, nvmlEventData_t *data,
                                   unsigned timeout_ms, int changes) {
    struct deadline deadline = deadline_in(timeout_ms);
    for (;;) {
        if (take_event(set, data)) return NVML_SUCCESS;
        if (has_lost_gpu(set)) return NVML_ERROR_GPU_IS_LOST;
        unsigned left = deadline_left(&deadline);
        if (!left) return NVML_ERROR_TIMEOUT;
        gate_wait(changes, left);
        nvmlReturn_t code = gate_check(function, NO_GPU);
        if (code != NVML_SUCCESS) return code;
    }
}

static nvmlReturn_t wait_call(const char *function, nvmlEventSet_t set, nvmlEventData_t *data,
                              unsigned timeout_ms) {
    nvmlReturn_t code = call_begin(function);
    if (code == NVML_SUCCESS && (!set || !data)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code != NVML_SUCCESS) return call_end(code);
    int changes = gate_changes(); /* before the first look, so that no change falls between */
    code = wait_for_event(function, set, data, timeout_ms, changes);
    if (changes >= 0) close(changes);
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned timeout_ms) {
    return wait_call(__func__, set, data, timeout_ms);
}
EXPORT nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned timeout_ms) {
    return wait_call(__func__, set, data, timeout_ms);
}
