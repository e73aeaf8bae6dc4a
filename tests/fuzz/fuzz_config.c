/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a configuration file holds: it is read, or refused with a sentence; what was read is printed and read as the
 * same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config/config_print.h"
#include "proto/base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int load(const void *data, size_t size, struct config **ret, char **ret_error)
{
    char path[64];
    cleanup(fd_closep) int fd = memfd_create("configuration", MFD_CLOEXEC);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    const struct config_options options = {
        .file = path, .socket = "/run/fuzz.sock", .host_total_bytes = UINT64_C(1) << 34};
    return config_load(&options, ret, ret_error);
}

static char *print(const struct config *config, size_t *ret_size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_size);
    if (!out) {
        abort();
    }
    config_print(config, out);
    (void)fclose(out);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL, *again = NULL;
    char *error = NULL;
    if (load(data, size, &config, &error) < 0) {
        if (!error || !*error) {
            abort();
        }
        free(error);
        return 0;
    }
    size_t first_size = 0, second_size = 0;
    cleanup(freep) char *first = print(config, &first_size);
    if (load(first, first_size, &again, &error) < 0) {
        (void)fprintf(stderr, "%s\n%s\n", first, error);
        abort();
    }
    cleanup(freep) char *second = print(again, &second_size);
    if (strcmp(first, second) != 0) {
        (void)fprintf(stderr, "%s\n----\n%s\n", first, second);
        abort();
    }
    config_free(config);
    config_free(again);
    return 0;
}
