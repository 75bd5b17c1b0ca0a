/* The event file and deadlines, shared by GPU events and system events. */
#ifndef NVML_SIM_EVENTS_H
#define NVML_SIM_EVENTS_H

#include <time.h>

#include "nvml_sim.h"

enum { MAX_EVENT_LINE = 256 };

int events_open(long *size);
long events_end(void); /* offset at which the next line will start */
/* The next complete line from `offset`, which moves behind it; `at` is where the line started. */
bool events_next(long *offset, char line[MAX_EVENT_LINE], long *at);

struct deadline {
    struct timespec at;
};
struct deadline deadline_in(unsigned milliseconds);
unsigned deadline_left(const struct deadline *deadline); /* milliseconds */

#endif
