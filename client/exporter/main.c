/* SPDX-License-Identifier: Apache-2.0 */
/* membroker-exporter: serves the broker's metrics over HTTP, so that the daemon speaks none. */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "client/exporter/collector.h"
#include "client/exporter/http.h"
#include "client/metrics/gather.h"
#include "proto/base/size.h"

enum { EXIT_USAGE = 2, BACKLOG = 128 };

#define LISTEN_DEFAULT "127.0.0.1:9774"

static const char help[] =
    "Usage: membroker-exporter [OPTION]...\n"
    "Serves the metrics of a running membrokerd over HTTP, at /metrics.\n\n"
    "  --listen ADDRESS:PORT    where to listen (default " LISTEN_DEFAULT
    "; a socket of the service manager goes first)\n"
    "  --socket PATH            the broker's socket (default: $MEMBROKER_SOCKET, the user's, the system's)\n"
    "  --timeout TIME           how long to wait for the broker before the answer is 503 (default 5s)\n"
    "  --users N                how many users have metrics of their own: those who hold most (default 20)\n"
    "  --version                print the version\n"
    "  --help                   print this help\n";

struct settings {
    const char *listen;
    struct collector_options collector;
};

static _Noreturn void fail_usage(const char *option, const char *value, const char *wanted)
{
    (void)fprintf(stderr, "membroker-exporter: %s `%s`: %s is expected\nTry `membroker-exporter --help`.\n", option,
                  value, wanted);
    exit(EXIT_USAGE);
}

static uint32_t take_timeout(const char *value)
{
    uint64_t milliseconds;
    if (duration_from_text(value, &milliseconds) < 0 || milliseconds < 1 || milliseconds > 600000) {
        fail_usage("--timeout", value, "a duration from 1ms to 10min");
    }
    return (uint32_t)milliseconds;
}

static uint32_t take_users(const char *value)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || number > GATHER_USERS_MAX) {
        fail_usage("--users", value, "a number from 0 to 1000");
    }
    return (uint32_t)number;
}

static void take_options(int argc, char **argv, struct settings *settings)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"socket", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'},
        {"users", required_argument, NULL, 'u'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (option) {
        case 'l':
            settings->listen = optarg;
            break;
        case 's':
            settings->collector.socket = optarg;
            break;
        case 't':
            settings->collector.timeout_ms = take_timeout(optarg);
            break;
        case 'u':
            settings->collector.users = take_users(optarg);
            break;
        case 'v':
            printf("membroker-exporter %s\n", MEMBROKER_VERSION);
            exit(EXIT_SUCCESS);
        case 'h':
            printf("%s", help);
            exit(EXIT_SUCCESS);
        default:
            exit(EXIT_USAGE); /* getopt_long() has told why */
        }
    }
    if (optind < argc) {
        fail_usage("argument", argv[optind], "no argument");
    }
}

/* ---- listening ---- */

/* "127.0.0.1:9774" or "[::1]:9774"; numbers alone. */
static struct addrinfo *resolve(const char *listen)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    char host[64];
    const char *colon = strrchr(listen, ':');
    bool has_brackets = colon && *listen == '[' && colon[-1] == ']';
    size_t length = colon ? (size_t)(colon - listen) - (has_brackets ? 2 : 0) : 0;
    if (!colon || length >= sizeof host) {
        fail_usage("--listen", listen, "an address and a port, such as " LISTEN_DEFAULT " or [::1]:9774,");
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)length, listen + has_brackets);
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
        fail_usage("--listen", listen, "an address and a port, such as " LISTEN_DEFAULT " or [::1]:9774,");
    }
    return found;
}

static int open_listener(const char *listen_on)
{
    struct addrinfo *address = resolve(listen_on);
    const int yes = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    }
    if (fd < 0 || bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        (void)fprintf(stderr, "membroker-exporter: can't listen on %s: %s\n", listen_on, strerrordesc_np(errno));
        exit(EXIT_FAILURE);
    }
    freeaddrinfo(address);
    return fd;
}

int main(int argc, char **argv)
{
    struct settings settings = {.listen = LISTEN_DEFAULT,
                                .collector = {.timeout_ms = 5000, .users = GATHER_USERS_DEFAULT}};
    take_options(argc, argv, &settings);
    bool is_handed = sd_listen_fds(1) > 0;
    int listener = is_handed ? SD_LISTEN_FDS_START : open_listener(settings.listen);
    if (!http_start(listener)) {
        (void)fprintf(stderr, "membroker-exporter: can't serve HTTP: %s\n", strerrordesc_np(errno));
        return EXIT_FAILURE;
    }
    (void)sd_notify(0, "READY=1");
    collector_run(&settings.collector, http_resume);
}
