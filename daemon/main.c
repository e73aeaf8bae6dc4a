/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerd: options, configuration, and the exit status. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/os/host_memory.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

enum { EXIT_USAGE = 2 };

struct options {
    const char *file, *socket;
    bool check;
};

struct option_help {
    const char *name, *argument;
    int letter;
    const char *help;
};

static const struct option_help table[] = {
    {"config", "FILE", 'c', "read this configuration file (and FILE.d/*.conf) instead of the default"},
    {"socket", "PATH", 's', "listen here, whatever the configuration says"},
    {"check-config", NULL, 'k', "print the effective configuration and exit"},
    {"quiet", NULL, 'q', "log warnings and errors only"},
    {"verbose", NULL, 'v', "log more"},
    {"version", NULL, 'V', "print the version and exit"},
    {"help", NULL, 'h', "print this help and exit"},
};

enum { OPTIONS = sizeof table / sizeof *table };

static void print_help(void)
{
    printf("Usage: membrokerd [OPTION]...\n"
           "Owns the scratch memory of a host's compute processes, and lends it out under limits.\n\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        char left[40];
        (void)snprintf(left, sizeof left, "--%s%s%s", table[i].name, table[i].argument ? " " : "",
                       table[i].argument ? table[i].argument : "");
        printf("  -%c, %-18s %s\n", table[i].letter, left, table[i].help);
    }
    printf("\nSIGHUP reloads the configuration; SIGTERM and SIGINT shut down. Exit status: 0, 1 failure, 2 usage.\n");
}

static void take_option(struct options *options, int letter)
{
    switch (letter) {
    case 'c':
        options->file = optarg;
        break;
    case 's':
        options->socket = optarg;
        break;
    case 'k':
        options->check = true;
        break;
    case 'q':
        log_set_level(LOG_LEVEL_WARNING);
        break;
    case 'v':
        log_set_level(LOG_LEVEL_DEBUG);
        break;
    case 'V':
        printf("membrokerd %s\n", MEMBROKER_VERSION);
        exit(EXIT_SUCCESS);
    case 'h':
        print_help();
        exit(EXIT_SUCCESS);
    default:
        (void)fprintf(stderr, "Try `membrokerd --help`.\n");
        exit(EXIT_USAGE);
    }
}

static struct options parse(int argc, char **argv)
{
    struct options options = {0};
    struct option longs[OPTIONS + 1] = {0};
    int letter;
    for (size_t i = 0; i < OPTIONS; i++) {
        longs[i] =
            (struct option){table[i].name, table[i].argument ? required_argument : no_argument, NULL, table[i].letter};
    }
    while ((letter = getopt_long(argc, argv, "c:s:kqvVh", longs, NULL)) >= 0) {
        take_option(&options, letter);
    }
    if (optind < argc) {
        (void)fprintf(stderr, "membrokerd: it takes no argument like `%s`\nTry `membrokerd --help`.\n", argv[optind]);
        exit(EXIT_USAGE);
    }
    return options;
}

static struct config *load(const struct options *options)
{
    struct host_memory host;
    struct config *config;
    cleanup(freep) char *error = NULL;
    int result = host_memory_read("", &host);
    if (result < 0) {
        log_error("can't find out how much memory this host has: %s", strerrordesc_np(-result));
        return NULL;
    }
    struct config_options sources = {options->file, options->socket, host.total_bytes, options->check};
    if (config_load(&sources, &config, &error) < 0) {
        log_error("%s", error);
        return NULL;
    }
    (void)config_warnings(config, stderr);
    return config;
}

static void log_ready(const struct config *config)
{
    char all[SIZE_TEXT_BYTES], ram[SIZE_TEXT_BYTES], mapped[SIZE_TEXT_BYTES];
    log_info("version " MEMBROKER_VERSION " ready on %s: at most %s, of which %s in RAM and %s in %s", config->socket,
             size_to_text(config->limits.max_bytes, all), size_to_text(config->limits.max_physical_bytes, ram),
             size_to_text(config->limits.max_mapped_bytes, mapped), config->spill_directory);
}

int main(int argc, char **argv)
{
    log_open();
    struct options options = parse(argc, argv);
    struct config *config = load(&options);
    if (!config) {
        return EXIT_FAILURE;
    }
    if (options.check) {
        config_print(config, stdout);
        config_free(config);
        return EXIT_SUCCESS;
    }
    struct server *server = server_new(config, options.file, options.socket);
    if (!server) {
        return EXIT_FAILURE;
    }
    log_ready(config);
    int status = server_run(server);
    server_free(server);
    return status;
}
