/* What every call passes before it answers: initialised? hang? delay? injected return? lost GPU? */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "nvml_sim.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned clients; /* nvmlInit calls not yet undone */

void gate_opened(bool open) { clients += open ? 1 : (unsigned)-1; }

/* `nvmlInitWithFlags`, `nvmlInit_v2` -> `nvmlInit`. */
void function_base_name(const char *function, char base[MAX_KEY]) {
    snprintf(base, MAX_KEY, "%s", function);
    char *suffix = strrchr(base, '_');
    if (suffix && suffix[1] == 'v' && strspn(suffix + 2, "0123456789") == strlen(suffix + 2))
        *suffix = '\0';
    suffix = strstr(base, "WithFlags");
    if (suffix) *suffix = '\0';
}

static bool directive_at(const char *scope, const char *kind, const char *call, uint64_t *value) {
    char key[2 * MAX_KEY];
    snprintf(key, sizeof key, "%s%s.%s", scope, kind, call);
    const char *text = state_get(key);
    return text && parse_u64(key, text, value) == NVML_SUCCESS && *value != 0;
}

/* `<scope><kind>.<call>` with scope `gpu.N.`, `gpu.*.` or none, and call a name or `*`. */
bool directive(const char *kind, const char *function, int gpu, uint64_t *value) {
    char base[MAX_KEY], one[MAX_KEY];
    function_base_name(function, base);
    snprintf(one, sizeof one, "gpu.%d.", gpu);
    const char *scopes[] = {one, "gpu.*.", ""};
    for (int i = gpu == NO_GPU ? 2 : 0; i < 3; i++)
        if (directive_at(scopes[i], kind, base, value) || directive_at(scopes[i], kind, "*", value))
            return true;
    return false;
}

void gate_sleep(unsigned milliseconds) {
    struct timespec slice = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    pthread_mutex_unlock(&mutex);
    nanosleep(&slice, NULL);
    pthread_mutex_lock(&mutex);
    state_refresh();
}

int gate_changes(void) {
    char path[MAX_PATH];
    int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    const char *directory = sibling_path(".", path);
    if (changes >= 0 && inotify_add_watch(changes, directory, IN_MODIFY | IN_MOVED_TO | IN_CREATE) < 0) {
        close(changes);
        return -1;
    }
    return changes;
}

void gate_wait(int changes, unsigned milliseconds) {
    char told[4096];
    if (changes < 0) {
        gate_sleep(milliseconds < POLL_MS ? milliseconds : POLL_MS);
        return;
    }
    struct pollfd one = {.fd = changes, .events = POLLIN};
    pthread_mutex_unlock(&mutex);
    if (poll(&one, 1, milliseconds < QUIET_MS ? (int)milliseconds : QUIET_MS) > 0)
        while (read(changes, told, sizeof told) > 0) continue;
    pthread_mutex_lock(&mutex);
    state_refresh();
}

/* Signals are held back for an uninterruptible hang; SIGKILL alone gets through, unlike in the
 * kernel's D state, which no user-space program can imitate. */
static void hang(const char *function, int gpu) {
    sigset_t all, before;
    uint64_t on;
    bool deaf = directive("hang_uninterruptible", function, gpu, &on);
    sigfillset(&all);
    if (deaf) pthread_sigmask(SIG_SETMASK, &all, &before);
    while (directive("hang", function, gpu, &on) ||
           directive("hang_uninterruptible", function, gpu, &on))
        gate_sleep(POLL_MS);
    if (deaf) pthread_sigmask(SIG_SETMASK, &before, NULL);
}

nvmlReturn_t gate_check(const char *function, int gpu) {
    uint64_t value;
    hang(function, gpu);
    if (directive("delay_ms", function, gpu, &value)) gate_sleep((unsigned)value);
    if (directive("return", function, gpu, &value)) return (nvmlReturn_t)value;
    return state_present() ? NVML_SUCCESS : NVML_ERROR_DRIVER_NOT_LOADED;
}

nvmlReturn_t library_begin(bool starts) {
    pthread_mutex_lock(&mutex);
    state_refresh();
    return clients || starts ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
}

nvmlReturn_t call_begin(const char *function) {
    nvmlReturn_t code = library_begin(strncmp(function, "nvmlInit", 8) == 0);
    return code == NVML_SUCCESS ? gate_check(function, NO_GPU) : code;
}

nvmlReturn_t device_check(const char *function, unsigned gpu, enum reach reach) {
    nvmlReturn_t code = gate_check(function, (int)gpu);
    if (code != NVML_SUCCESS) return code;
    /* A GPU taken away under an open handle is as good as fallen off the bus. */
    if (gpu_flag(gpu, "lost") || !gpu_present(gpu)) return NVML_ERROR_GPU_IS_LOST;
    if (reach == REACH_WORKING && gpu_flag(gpu, "reset_required")) return NVML_ERROR_RESET_REQUIRED;
    return NVML_SUCCESS;
}

nvmlReturn_t device_begin(const char *function, nvmlDevice_t device, enum reach reach) {
    nvmlReturn_t code = library_begin(false);
    if (code == NVML_SUCCESS && !device_valid(device)) code = NVML_ERROR_INVALID_ARGUMENT;
    return code == NVML_SUCCESS ? device_check(function, device->gpu, reach) : code;
}

nvmlReturn_t call_end(nvmlReturn_t code) {
    pthread_mutex_unlock(&mutex);
    return code;
}
