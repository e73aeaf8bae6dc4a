/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerd: options, configuration, and the exit status. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/config/config_print.h"
#include "daemon/config/settings.h"
#include "daemon/os/host_memory.h"
#include "daemon/os/service_manager.h"
#include "daemon/runtime/fdstore_names.h"
#include "daemon/runtime/last_good.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/reload.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"
#include "proto/base/without_const.h"

enum { EXIT_USAGE = 2 };

struct options {
    const char *file, *socket;
    bool check, as_service;
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
    {"list-settings", NULL, 'l', "print every setting with its type, default and meaning, and exit"},
    {"service", NULL, 'S', "with --check-config: as membroker.service would, as its user in its sandbox"},
    {"quiet", NULL, 'q', "log warnings and errors only"},
    {"verbose", NULL, 'v', "log more: each grant, refusal and ending"},
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
    printf("\nSIGHUP reloads the configuration; SIGTERM and SIGINT shut down. Exit status: 0, 1 failure, 2 usage, 78 "
           "bad\nconfiguration of a service.\n");
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
    case 'l':
        settings_list(stdout);
        exit(EXIT_SUCCESS);
    case 'S':
        options->as_service = true;
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
    char letters[2 * OPTIONS + 1] = "", *end = letters;
    int letter;
    for (size_t i = 0; i < OPTIONS; i++) {
        longs[i] =
            (struct option){table[i].name, table[i].argument ? required_argument : no_argument, NULL, table[i].letter};
        *end++ = (char)table[i].letter;
        if (table[i].argument) {
            *end++ = ':';
        }
    }
    while ((letter = getopt_long(argc, argv, letters, longs, NULL)) >= 0) {
        take_option(&options, letter);
    }
    if (options.as_service && !options.check) {
        (void)fprintf(stderr, "membrokerd: --service goes with --check-config\nTry `membrokerd --help`.\n");
        exit(EXIT_USAGE);
    }
    if (optind < argc) {
        (void)fprintf(stderr, "membrokerd: it takes no argument like `%s`\nTry `membrokerd --help`.\n", argv[optind]);
        exit(EXIT_USAGE);
    }
    return options;
}

/* ---- configuration ---- */

/* What main() goes on with. */
struct loaded {
    struct config *config; /* NULL: nothing */
    char *error;           /* why the files are not it; NULL: they are */
};

static struct loaded load(const struct options *options)
{
    struct loaded loaded = {0};
    struct host_memory host;
    int result = host_memory_read("", &host);
    if (result < 0) {
        log_error("can't find out how much memory this host has: %s", strerrordesc_np(-result));
        loaded.error = strdup("it depends on that");
        return loaded;
    }
    struct config_options sources = {options->file, options->socket, host.total_bytes, options->check};
    if (config_load(&sources, &loaded.config, &loaded.error) < 0 && !options->check) {
        loaded.config = last_good_load(&sources);
    }
    return loaded;
}

static int check(const struct options *options)
{
    struct loaded loaded = load(options);
    if (!loaded.config) {
        log_error("%s", loaded.error);
        free(loaded.error);
        return EXIT_FAILURE;
    }
    (void)config_warnings(loaded.config, "membrokerd: warning: ", stderr);
    (void)config_notes(loaded.config, stderr);
    if (geteuid() == 0 && !getenv("RUNTIME_DIRECTORY")) {
        (void)fprintf(stderr, "membrokerd: note: checked as root; `membrokerd --check-config --service` checks as the "
                              "service: its user, its sandbox\n");
    }
    config_print(loaded.config, stdout);
    config_free(loaded.config);
    return EXIT_SUCCESS;
}

/* The service's view is another process's: the service manager starts it. */
static int check_as_service(const struct options *options)
{
    const char *arguments[8] = {MEMBROKER_LIBEXECDIR "/in-service", "membroker.service", "/proc/self/exe",
                                "--check-config"};
    size_t count = 4;
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    arguments[2] = self;
    if (options->file) {
        arguments[count++] = "--config";
        arguments[count++] = options->file;
    }
    (void)execv(arguments[0], without_const(arguments));
    log_error("can't run %s: %s", arguments[0], strerrordesc_np(errno));
    return EXIT_FAILURE;
}

/*
 * The files are bad, and nothing else can be started with. A service with nothing to lose fails, for all to see; one
 * whose leases are in the descriptor store must not fail, since that would drop them: it is tried again, slowly.
 */
static int give_up(bool has_leases)
{
    enum { PAUSE_S = 5 };
    if (!has_leases) {
        return service_manager_is_there() ? EX_CONFIG : EXIT_FAILURE;
    }
    log_error("leases wait for a daemon, and it can't start; trying again in %d s", PAUSE_S);
    (void)sleep(PAUSE_S);
    return EXIT_FAILURE;
}

static void warn_of_bad_files(const char *error)
{
    const struct log_about about = {.event = LOG_EVENT_BAD_CONFIGURATION};
    log_line(LOG_LEVEL_ERROR, &about,
             "the configuration files are bad, and the last good configuration is in force instead: %s", error);
}

static void log_ready(const struct server *server)
{
    const struct config *config = server->config;
    char all[SIZE_TEXT_BYTES], ram[SIZE_TEXT_BYTES], mapped[SIZE_TEXT_BYTES];
    const struct log_about about = {.event = LOG_EVENT_READY};
    log_line(LOG_LEVEL_INFO, &about,
             "version " MEMBROKER_VERSION
             " ready on %s: at most %s, of which %s in RAM and %s in %s; configuration: %s",
             server->listener.path, size_to_text(config->broker.limits.max_bytes, all),
             size_to_text(config->broker.limits.max_physical_bytes, ram),
             size_to_text(config->broker.limits.max_mapped_bytes, mapped), config->spill_directory,
             config->sources ? config->sources : "defaults, there are no files");
}

static int serve(struct loaded *loaded, const struct options *options)
{
    struct server *server = server_new(loaded->config, options->file, options->socket);
    if (!server) {
        return EXIT_FAILURE;
    }
    if (loaded->error) {
        reload_complain(&server->reload, loaded->error);
    } else {
        last_good_keep_now(loaded->config);
    }
    log_ready(server);
    int status = server_run(server);
    server_free(server);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    if (options.check) {
        return options.as_service ? check_as_service(&options) : check(&options);
    }
    log_open();
    bool has_leases = service_manager_keeps(FDSTORE_TABLE);
    struct loaded loaded = load(&options);
    if (!loaded.config) {
        log_error("%s", loaded.error);
        free(loaded.error);
        return give_up(has_leases);
    }
    if (loaded.error) {
        warn_of_bad_files(loaded.error);
    }
    (void)config_warnings(loaded.config, "membrokerd: warning: ", stderr);
    int status = serve(&loaded, &options);
    free(loaded.error);
    return status;
}
