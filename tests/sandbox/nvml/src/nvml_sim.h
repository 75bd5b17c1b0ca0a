/* Inside of the NVML simulator: state book, call gate, devices.
 *
 * Locking: one mutex. Every exported call takes it in `call_begin`/`device_begin` and gives it back in
 * `call_end`; a call that hangs or waits sleeps without it. Everything below runs under the mutex. */
#ifndef NVML_SIM_H
#define NVML_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nvml_abi.h"

enum { MAX_GPUS = 16, MAX_KEY = 128, MAX_PATH = 4096, POLL_MS = 5, QUIET_MS = 100 };

/* --- state.c: the state file, read again whenever it changed --- */
void state_refresh(void);
bool state_present(void);
const char *state_get(const char *key); /* this key, state file before defaults; NULL if in neither */
const char *gpu_get(unsigned gpu, const char *key); /* gpu.<gpu>.<key>, else gpu.*.<key> */
nvmlReturn_t state_put(const char *key, const char *value);
const char *sibling_path(const char *name, char path[MAX_PATH]); /* a file beside the state file */

/* --- value.c: typed reads; `not_supported` as a value gives NVML_ERROR_NOT_SUPPORTED --- */
nvmlReturn_t parse_u64(const char *key, const char *text, uint64_t *value);
nvmlReturn_t gpu_u64(unsigned gpu, const char *key, uint64_t *value);
nvmlReturn_t gpu_u32(unsigned gpu, const char *key, unsigned *value);
nvmlReturn_t gpu_text(unsigned gpu, const char *key, char *text, unsigned size);
nvmlReturn_t copy_text(const char *value, char *text, unsigned size);
bool gpu_flag(unsigned gpu, const char *key);

/* --- gate.c: what every call passes first: hang, delay, injected return, lost GPU ---
 * A `..._begin` always takes the mutex, whatever it returns; `call_end` always gives it back. */
enum { NO_GPU = -1 };
enum reach { REACH_WORKING, REACH_IDENTITY }; /* identity answers although a reset is required */
nvmlReturn_t library_begin(bool starts);        /* mutex only, no injected faults */
nvmlReturn_t call_begin(const char *function);  /* a call that names no GPU */
nvmlReturn_t device_begin(const char *function, nvmlDevice_t device, enum reach reach);
nvmlReturn_t call_end(nvmlReturn_t code);
nvmlReturn_t device_check(const char *function, unsigned gpu, enum reach reach);
nvmlReturn_t gate_check(const char *function, int gpu);
void gate_sleep(unsigned milliseconds); /* without the mutex; then looks at the state anew */
/* The same until a file beside the state changes, should the system tell; at most QUIET_MS. */
void gate_wait(int changes, unsigned milliseconds);
int gate_changes(void); /* a descriptor for gate_wait, to be closed; -1: the system does not tell */
void gate_opened(bool open);            /* library initialised or shut down */
void function_base_name(const char *function, char base[MAX_KEY]);

/* --- module.c --- */
const char *driver_version(void);
nvmlReturn_t module_check(void); /* is the kernel module of the library's version loaded? */

/* --- device.c --- */
struct sim_device {
    unsigned gpu; /* number in the state file */
};
struct pci_address {
    unsigned domain, bus, device;
};
bool device_valid(nvmlDevice_t device);
nvmlDevice_t device_of(unsigned gpu);
bool gpu_present(unsigned gpu);
nvmlReturn_t gpu_uuid(unsigned gpu, char *text, unsigned size);
nvmlReturn_t gpu_pci(unsigned gpu, struct pci_address *address);
nvmlReturn_t find_gpu_by_pci(const nvmlPciInfo_t *pci, unsigned *gpu); /* absent ones too */
unsigned gpu_limit(void);                                              /* GPU numbers are below it */

/* --- record.c, health.c --- */
/* One unsigned member of a structure and the state key that it shows. */
struct slot {
    const char *key;
    size_t offset, size;
};
#define SLOT(type, member, key) {key, offsetof(type, member), sizeof(((type *)0)->member)}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
nvmlReturn_t fill_slots(unsigned gpu, void *record, const struct slot *slots, size_t count);
nvmlReturn_t fill_device_record(const char *function, nvmlDevice_t device, void *record,
                                const struct slot *slots, size_t count);
nvmlReturn_t ecc_total(unsigned gpu, bool aggregate, bool uncorrected, uint64_t *total);

/* --- links.c --- */
nvmlReturn_t link_errors(unsigned gpu, unsigned link, const char *counter, uint64_t *number);

#endif
