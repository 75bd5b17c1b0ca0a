/* The kernel module: a library fits the one driver of its own version, and says so when it starts. */
#include <stdio.h>
#include <string.h>

#include "nvml_sim.h"

/* The package that carries the library writes its version here. Empty: it fits any driver, and the
 * state file says which one that is. */
static const volatile char carried[] = "STOKER-OWN-VERSION:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
enum { MARK = sizeof "STOKER-OWN-VERSION:" - 1 };

static const char *own_version(void) { return (const char *)carried + MARK; }

const char *driver_version(void) {
    return *own_version() ? own_version() : state_get("driver_version");
}

/* "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.91.07  Release Build ...", as it stands
 * in /proc/driver/nvidia/version; but a service that has a /proc of its own does not see that one. */
nvmlReturn_t module_check(void) {
    char line[256], wanted[64];
    if (!*own_version()) return NVML_SUCCESS;
    FILE *file = fopen("/run/sandbox-nvidia-version", "re");
    if (!file) return NVML_ERROR_DRIVER_NOT_LOADED;
    bool told = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    snprintf(wanted, sizeof wanted, "  %s  ", own_version());
    return told && strstr(line, wanted) ? NVML_SUCCESS : NVML_ERROR_LIB_RM_VERSION_MISMATCH;
}
