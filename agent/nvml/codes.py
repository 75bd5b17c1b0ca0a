"""NVML return codes by what they mean to us: nvml.h, nvmlReturn_t."""

INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NO_PERMISSION = 4
NOT_FOUND = 6
TIMEOUT = 10
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
NO_DATA = 21
VERSION_MISMATCH = 25  # of a structure: the binding is newer than the driver
DEPRECATED = 26

# Said of one value: this board, driver or user has it not. Never a fault.
UNAVAILABLE = frozenset(
    {
        INVALID_ARGUMENT,  # a number that an older driver does not know
        NOT_SUPPORTED,
        NO_PERMISSION,
        FUNCTION_NOT_FOUND,
        NO_DATA,
        VERSION_MISMATCH,
        DEPRECATED,
    }
)
# Said of one GPU: what it is worth.
VERDICTS = frozenset({GPU_IS_LOST, RESET_REQUIRED})
# Said anywhere, they are about the driver: not initialised, not loaded, no library, library of
# another version. No GPU can be looked at.
DRIVER = frozenset({1, 9, 12, 18})
