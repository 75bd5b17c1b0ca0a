/* Init, shutdown, versions, error strings. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "nvml_sim.h"

static unsigned initialised;
static int client_lock = -1;

/* Every process that holds NVML shares a lock on `nvml.clients`; a reset needs it alone. */
static void hold_driver(void) {
    char path[MAX_PATH];
    client_lock = open(sibling_path("nvml.clients", path), O_RDONLY | O_CLOEXEC);
    if (client_lock >= 0) flock(client_lock, LOCK_SH | LOCK_NB);
}

static void release_driver(void) {
    if (client_lock >= 0) close(client_lock);
    client_lock = -1;
}

static nvmlReturn_t start(const char *function) {
    nvmlReturn_t code = call_begin(function);
    if (code == NVML_SUCCESS) code = module_check();
    if (code == NVML_SUCCESS) {
        gate_opened(true);
        if (initialised++ == 0) hold_driver();
    }
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlInit(void) { return start(__func__); }
EXPORT nvmlReturn_t nvmlInit_v2(void) { return start(__func__); }
EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    return start(__func__);
}

EXPORT nvmlReturn_t nvmlShutdown(void) {
    nvmlReturn_t code = call_begin(__func__);
    if (code == NVML_SUCCESS) {
        gate_opened(false);
        if (--initialised == 0) release_driver();
    }
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *text, unsigned size) {
    nvmlReturn_t code = call_begin(__func__);
    if (code == NVML_SUCCESS && !text) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = copy_text(driver_version(), text, size);
    return call_end(code);
}

/* The library's own version: the driver's behind a number of the interface, unless set. */
EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *text, unsigned size) {
    char made[80];
    nvmlReturn_t code = call_begin(__func__);
    if (code == NVML_SUCCESS && !text) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code != NVML_SUCCESS) return call_end(code);
    snprintf(made, sizeof made, "13.%.70s", driver_version());
    const char *set = state_get("nvml_version");
    return call_end(copy_text(set ? set : made, text, size));
}

static nvmlReturn_t cuda_version(const char *function, int *version) {
    uint64_t number = 0;
    nvmlReturn_t code = call_begin(function);
    if (code == NVML_SUCCESS && !version) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS) code = parse_u64("cuda_version", state_get("cuda_version"), &number);
    if (code == NVML_SUCCESS) *version = (int)number;
    return call_end(code);
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version) {
    return cuda_version(__func__, version);
}
EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
    return cuda_version(__func__, version);
}

EXPORT nvmlReturn_t nvmlSystemGetProcessName(unsigned pid, char *name, unsigned size) {
    nvmlReturn_t code = call_begin(__func__);
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    FILE *file = code == NVML_SUCCESS && name && size ? fopen(path, "re") : NULL;
    if (code == NVML_SUCCESS && (!name || !size)) code = NVML_ERROR_INVALID_ARGUMENT;
    if (code == NVML_SUCCESS && !file) code = NVML_ERROR_NOT_FOUND;
    if (file) {
        size_t got = fread(name, 1, size - 1, file);
        name[got] = '\0';
        fclose(file);
    }
    return call_end(code);
}

static const char *const error_strings[] = {
    "Success", "Uninitialized", "Invalid Argument", "Not Supported", "Insufficient Permissions",
    "Already Initialized", "Not Found", "Insufficient Size", "Insufficient External Power",
    "Driver Not Loaded", "Timeout", "Interrupt Request Issue", "NVML Shared Library Not Found",
    "Function Not Found", "Corrupted infoROM", "GPU is lost", "GPU requires reset",
    "GPU access blocked by the operating system", "Driver/library version mismatch",
    "In use by another client", "Insufficient Memory", "No data", "vGPU ECC not supported",
    "Insufficient Resources", "Invalid Frequency", "Argument version mismatch",
    "Requested functionality has been deprecated", "System is not in ready state",
    "No supported GPUs were found", "Resource not in correct state to perform requested operation",
    "Reset type is not supported for given device"};

EXPORT const char *nvmlErrorString(nvmlReturn_t code) {
    bool known = code >= 0 && (size_t)code < sizeof error_strings / sizeof error_strings[0];
    return known ? error_strings[code] : "Unknown Error";
}
