/* The state: two books of `key = value` lines, the state file over the built-in defaults. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nvml_sim.h"

/* h100.defaults, put into the library by the assembler. */
__asm__(".section .rodata\n"
        "defaults_start:\n"
        ".incbin \"h100.defaults\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char defaults_start[];

struct entry {
    const char *key, *value;
};

struct book {
    char *text; /* owns the strings that the entries point at */
    struct entry *entries;
    size_t count;
};

static struct book file_book, default_book;
static struct stat seen;
static bool present;

static const char *state_path(void) {
    const char *path = getenv("STOKER_NVML_STATE");
    return path && *path ? path : "/sim/nvml.state";
}

const char *sibling_path(const char *name, char path[MAX_PATH]) {
    const char *state = state_path(), *slash = strrchr(state, '/');
    int directory = slash ? (int)(slash - state) + 1 : 0;
    snprintf(path, MAX_PATH, "%.*s%s", directory, state, name);
    return path;
}

static char *trim(char *text) {
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length && strchr(" \t\r", text[length - 1])) text[--length] = '\0';
    return text;
}

/* `gpu.0.return.nvmlInit_v2` -> `gpu.0.return.nvmlInit`: a fault holds for all versions of a call. */
static void drop_call_version(char *key) {
    char *call = strstr(key, ".nvml"), base[MAX_KEY];
    if (!call) return;
    function_base_name(call + 1, base);
    if (strlen(base) <= strlen(call + 1)) strcpy(call + 1, base);
}

static void book_add(struct book *book, char *line, unsigned number) {
    char *equals = strchr(line, '=');
    if (!equals) {
        fprintf(stderr, "nvml simulator: %s line %u: expected `key = value`, got `%s`\n", state_path(),
                number, line);
        return;
    }
    *equals = '\0';
    char *key = trim(line);
    drop_call_version(key);
    book->entries[book->count++] = (struct entry){key, trim(equals + 1)};
}

/* Takes `text` over. */
static void book_fill(struct book *book, char *text) {
    size_t lines = 1;
    for (const char *c = text; *c; c++) lines += *c == '\n';
    free(book->text);
    free(book->entries);
    *book = (struct book){text, calloc(lines, sizeof(struct entry)), 0};
    if (!book->entries) return;
    unsigned number = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        number++;
        line = trim(line);
        if (*line && *line != '#') book_add(book, line, number);
    }
}

/* The last line of a key wins, so that a line can be appended to change a value. */
static const char *book_get(const struct book *book, const char *key) {
    for (size_t i = book->count; i-- > 0;)
        if (strcmp(book->entries[i].key, key) == 0) return book->entries[i].value;
    return NULL;
}

static char *read_all(int fd, size_t size) {
    char *text = malloc(size + 1);
    size_t have = 0;
    while (text && have < size) {
        ssize_t got = read(fd, text + have, size - have);
        if (got <= 0) break;
        have += (size_t)got;
    }
    if (text) text[have] = '\0';
    return text;
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void state_refresh(void) {
    struct stat now;
    if (!default_book.text) book_fill(&default_book, strdup(defaults_start));
    if (stat(state_path(), &now) != 0) {
        present = false;
        return;
    }
    if (present && same_file(&now, &seen)) return;
    int fd = open(state_path(), O_RDONLY | O_CLOEXEC);
    present = fd >= 0 && fstat(fd, &seen) == 0;
    char *text = present ? read_all(fd, (size_t)seen.st_size) : NULL;
    if (text) book_fill(&file_book, text);
    if (fd >= 0) close(fd);
}

bool state_present(void) { return present; }

const char *state_get(const char *key) {
    const char *value = book_get(&file_book, key);
    return value ? value : book_get(&default_book, key);
}

const char *gpu_get(unsigned gpu, const char *key) {
    char one[MAX_KEY], every[MAX_KEY];
    snprintf(one, sizeof one, "gpu.%u.%s", gpu, key);
    snprintf(every, sizeof every, "gpu.*.%s", key);
    const char *value = book_get(&file_book, one);
    if (!value) value = book_get(&file_book, every);
    return value ? value : book_get(&default_book, every);
}

/* Writes a copy of the state file with one more line and puts it in the old one's place. */
static nvmlReturn_t rewrite_with(const char *key, const char *value) {
    char next[MAX_PATH + 32];
    snprintf(next, sizeof next, "%s.%d", state_path(), (int)getpid());
    int from = open(state_path(), O_RDONLY | O_CLOEXEC);
    struct stat info;
    char *text = from >= 0 && fstat(from, &info) == 0 ? read_all(from, (size_t)info.st_size) : NULL;
    if (from >= 0) close(from);
    FILE *out = text ? fopen(next, "we") : NULL;
    bool done = out && fprintf(out, "%s%s = %s\n", text, key, value) > 0;
    if (out) done = fchmod(fileno(out), info.st_mode & 0777) == 0 && done;
    if (out) done = fclose(out) == 0 && done;
    if (done) done = rename(next, state_path()) == 0;
    free(text);
    return done ? NVML_SUCCESS : NVML_ERROR_NO_PERMISSION;
}

nvmlReturn_t state_put(const char *key, const char *value) {
    char path[MAX_PATH];
    /* The same lock as state.py takes: no writer may undo another's change. */
    int lock = open(sibling_path("nvml.lock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) {
        if (lock >= 0) close(lock);
        return NVML_ERROR_NO_PERMISSION;
    }
    nvmlReturn_t code = rewrite_with(key, value);
    close(lock);
    state_refresh();
    return code;
}
