/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: defaults, files, drop-ins, and errors that name their place. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config/config_print.h"

#define GIB (UINT64_C(1) << 30)

static char directory[64], file[96], drop_ins[96], spill[96];

static void set_up(void)
{
    (void)strcpy(directory, "/tmp/membroker-config-XXXXXX");
    cr_assert(mkdtemp(directory));
    (void)snprintf(file, sizeof file, "%s/conf", directory);
    (void)snprintf(drop_ins, sizeof drop_ins, "%s/conf.d", directory);
    (void)snprintf(spill, sizeof spill, "%s/a/b/spill", directory);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void tear_down(void)
{
    (void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(config, .init = set_up, .fini = tear_down);

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "we");
    cr_assert(out);
    (void)fprintf(out, "%s", text);
    (void)fclose(out);
}

/* The file's text is preceded by two lines that set the directory. */
static void write_config(const char *text)
{
    char whole[4096];
    (void)snprintf(whole, sizeof whole, "[mapped]\ndirectory = %s\n%s", spill, text);
    write_file(file, whole);
}

static struct config *load(void)
{
    struct config_options options = {.file = file, .socket = "/run/test.sock", .host_total_bytes = 32 * GIB};
    struct config *config = NULL;
    char *error = NULL;
    cr_assert(config_load(&options, &config, &error) == 0, "%s", error);
    return config;
}

static void expect_error(const char *text, const char *what)
{
    struct config_options options = {.file = file, .socket = "/run/test.sock", .host_total_bytes = 32 * GIB};
    struct config *config = NULL;
    char *error = NULL;
    write_config(text);
    cr_assert(config_load(&options, &config, &error) < 0, "accepted: %s", text);
    cr_expect(strstr(error, what), "\"%s\" is not in: %s", what, error);
    cr_expect(strncmp(error, file, strlen(file)) == 0, "the file is not named: %s", error);
    free(error);
}

Test(config, defaults_are_the_seeds_three_numbers)
{
    write_config("");
    struct config *config = load();
    cr_expect_eq(config->heap_bytes, 8 * GIB);
    cr_expect_eq(config->broker.limits.max_physical_bytes, 16 * GIB);
    cr_expect_eq(config->broker.limits.max_bytes,
                 config->broker.limits.max_physical_bytes + config->broker.limits.max_mapped_bytes);
    cr_expect_gt(config->broker.limits.max_mapped_bytes, 0);
    cr_expect_eq(config->broker.times.ttl_min_ms, 1000);
    cr_expect_eq(config->broker.times.ttl_default_ms, 30000);
    cr_expect_eq(config->broker.times.ttl_max_ms, 3600000);
    cr_expect_eq(config->broker.times.reconnect_grace_ms, 10000);
    cr_expect_eq(config->socket_mode, 0660);
    cr_expect_str_eq(config->socket, "/run/test.sock");
    struct stat status;
    cr_expect(stat(spill, &status) == 0 && (status.st_mode & 0777) == 0700, "the spill directory is made");
    config_free(config);
}

Test(config, values_percentages_and_switched_off_limits)
{
    write_config("[limits]\nheap_bytes = 10%\nmax_mapped_bytes = 0\n[leases]\nmin_ttl=100ms\n");
    struct config *config = load();
    cr_expect_eq(config->heap_bytes, 32 * GIB / 10);
    cr_expect_eq(config->broker.limits.max_physical_bytes, 32 * GIB / 10 * 2);
    cr_expect_eq(config->broker.limits.max_mapped_bytes, LIMIT_OFF);
    cr_expect_eq(config->broker.limits.max_bytes, LIMIT_OFF, "the sum with one that is off is off");
    cr_expect_eq(config->broker.times.ttl_min_ms, 100);
    config_free(config);
    write_config("[limits]\nheap_bytes = unlimited\n");
    config = load();
    cr_expect_eq(config->broker.limits.max_physical_bytes, LIMIT_OFF);
    config_free(config);
}

Test(config, by_default_a_user_may_have_a_quarter_of_all_waiting_requests)
{
    write_config("[queue]\nmax_waiting = 9\n");
    struct config *config = load();
    cr_expect_eq(config->broker.queue.waiting_per_user_max, 3);
    cr_expect_eq(config->broker.queue.waiting_per_session_max, 64);
    config_free(config);
    write_config("[queue]\nmax_waiting_per_user = 7\nmax_waiting_per_session = 5\n");
    config = load();
    cr_expect_eq(config->broker.queue.waiting_max, 1024);
    cr_expect_eq(config->broker.queue.waiting_per_user_max, 7);
    cr_expect_eq(config->broker.queue.waiting_per_session_max, 5);
    config_free(config);
}

Test(config, settings_that_0_switches_off_accept_and_print_0)
{
    char *text;
    size_t size;
    static const char *const zeros[] = {"[queue]\nageing = 0\ntrim_time = 0\n",
                                        "[queue]\nageing = 0s\ntrim_time = 0ms\n"};
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++) {
        write_config(zeros[i]);
        struct config *config = load();
        cr_expect_eq(config->broker.queue.ageing_ms, 0);
        cr_expect_eq(config->broker.queue.trim_ms, 0);
        FILE *out = open_memstream(&text, &size);
        config_print(config, out);
        (void)fclose(out);
        config_free(config);
        write_file(file, text);
        free(text);
        config = load();
        cr_expect_eq(config->broker.queue.ageing_ms + config->broker.queue.trim_ms, 0);
        config_free(config);
    }
    expect_error("[queue]\nmax_wait = 0s\n", "a duration of at least 1ms");
    expect_error("[queue]\nageing = soon\n", "a duration with its unit is expected");
}

Test(config, drop_ins_win_in_alphabetical_order)
{
    char path[256];
    write_config("[limits]\nmax_bytes = 1G\nmax_physical_bytes = 1G\n");
    cr_assert(mkdir(drop_ins, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/20-b.conf", drop_ins);
    write_file(path, "[limits]\nmax_bytes = 3G\n");
    (void)snprintf(path, sizeof path, "%s/10-a.conf", drop_ins);
    write_file(path, "[limits]\nmax_bytes = 2G\n");
    (void)snprintf(path, sizeof path, "%s/30-c.conf.bak", drop_ins);
    write_file(path, "nonsense");
    struct config *config = load();
    cr_expect_eq(config->broker.limits.max_bytes, 3 * GIB);
    cr_expect_eq(config->broker.limits.max_physical_bytes, GIB);
    config_free(config);
}

Test(config, errors_name_file_line_and_key)
{
    expect_error("[limits]\nmaxbytes = 1G\n", ":4: [limits] maxbytes: there is no such key");
    expect_error("[limit]\nmax_bytes = 1G\n", ":3: there is no section [limit]");
    expect_error("[Sharing]\n", "[sharing], [reservations], [history]");
    expect_error("[limits]\nmax_bytes = lots\n", ":4: [limits] max_bytes: \"lots\": a size is expected");
    expect_error("[limits]\nmax_bytes = 1G\nmax_bytes = 2G\n", ":5: [limits] max_bytes: it was set before, in line 4");
    expect_error("[leases]\nmin_ttl = 30\n", ":4: [leases] min_ttl: \"30\": a duration with its unit is expected");
    expect_error("[leases]\nmin_ttl = 2min\n",
                 ":4: [leases] min_ttl: min_ttl (2min) must not be larger than default_ttl (30s)");
    expect_error("[leases]\nmax_ttl = 10s\n", ":4: [leases] max_ttl: default_ttl (30s) must not be larger than");
    expect_error("[server]\nsocket_mode = 999\n", ":4: [server] socket_mode: \"999\": an octal mode");
    expect_error("[server]\nsocket = relative\n", ":4: [server] socket: \"relative\": an absolute path");
    expect_error("[server]\nsocket_group = no-such-group-here\n", ":4: [server] socket_group: ");
    expect_error("[limits]\nthis is no setting\n", ":4: the line is neither");
    expect_error("[limits]\nthis is no setting\nnor = this\n", ":4: the line is neither");
    expect_error("[access]\nallow_users = root who 0\n",
                 ":4: [access] allow_users: \"root who 0\": there is no user \"who\"");
    expect_error("[access]\ndeny_groups = root what\n", "there is no group \"what\"");
    expect_error("[pool]\npool_bytes = unlimited\n", "0 is none");
    expect_error("[user root]\nreserve_bytes = unlimited\n", "0 is none");
    write_file(file, "max_bytes = 1G\n");
    struct config_options options = {.file = file, .host_total_bytes = GIB};
    struct config *config;
    char *error;
    cr_assert(config_load(&options, &config, &error) < 0);
    cr_expect(strstr(error, ":1: key \"max_bytes\" precedes the first section"), "%s", error);
    free(error);
}

Test(config, a_directory_that_cannot_be_used_is_an_error)
{
    write_file(file, "[mapped]\ndirectory = /proc/nowhere\n");
    struct config_options options = {.file = file, .socket = "/run/test.sock", .host_total_bytes = GIB};
    struct config *config;
    char *error;
    cr_assert(config_load(&options, &config, &error) < 0);
    cr_expect(strstr(error, ":2: [mapped] directory: /proc/nowhere can't be used"), "%s", error);
    free(error);
}

/* Root may write anywhere, so it seems; the kernel has no room for files in its own file systems. */
Test(config, a_directory_without_room_for_files_is_an_error_in_a_check_as_well)
{
    static const char *const paths[] = {"/proc/nope",  "/proc",   "/sys/nope/deeper", "/sys",
                                        "/etc/passwd", "/bin/sh", "/bin/sh/x"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char text[256], *error = NULL;
        struct config *config = NULL;
        (void)snprintf(text, sizeof text, "[mapped]\ndirectory = %s\n", paths[i]);
        write_file(file, text);
        for (int look_only = 0; look_only < 2; look_only++) {
            struct config_options options = {
                .file = file, .socket = "/run/test.sock", .host_total_bytes = GIB, .look_only = look_only};
            cr_assert(config_load(&options, &config, &error) < 0, "%s", paths[i]);
            cr_expect(strstr(error, ":2: [mapped] directory: ") && strstr(error, "can't be used"), "%s", error);
            free(error);
        }
    }
}

Test(config, the_error_for_a_missing_file_says_what_to_do)
{
    struct config_options options = {.file = "/nowhere/conf", .socket = "/run/test.sock", .host_total_bytes = GIB};
    struct config *config;
    char *error;
    cr_assert(config_load(&options, &config, &error) < 0);
    cr_expect(strstr(error, "/nowhere/conf: there is no such file; make it"), "%s", error);
    free(error);
}

/* As a service that runs as another user than who edits its files. */
Test(config, a_drop_in_that_the_user_cannot_read_names_file_and_user)
{
    write_file(file, "[limits]\nmax_bytes = 5G\n");
    cr_assert(chmod(directory, 0755) == 0 && chmod(file, 0) == 0);
    cr_assert(geteuid() != 0 || seteuid(65534) == 0);
    struct config_options options = {.file = file, .socket = "/run/test.sock", .host_total_bytes = GIB};
    struct config *config;
    char *error, user[32];
    (void)snprintf(user, sizeof user, "(%u) can't read it", geteuid());
    cr_assert(config_load(&options, &config, &error) < 0);
    cr_expect(strstr(error, file) && strstr(error, user), "%s", error);
    free(error);
    cr_assert(seteuid(getuid()) == 0);
}

Test(config, the_error_for_a_missing_default_socket_names_the_variable)
{
    struct config_options options = {.file = file, .host_total_bytes = GIB};
    struct config *config;
    char *error;
    write_config("");
    cr_assert(chmod(directory, 0755) == 0 && chmod(file, 0644) == 0 && (geteuid() != 0 || seteuid(65534) == 0));
    cr_assert(unsetenv("RUNTIME_DIRECTORY") == 0 && unsetenv("XDG_RUNTIME_DIR") == 0 &&
              unsetenv("MEMBROKER_SOCKET") == 0);
    cr_assert(config_load(&options, &config, &error) < 0);
    cr_expect(strstr(error, "[server] socket: XDG_RUNTIME_DIR is not set"), "%s", error);
    free(error);
    cr_assert(seteuid(getuid()) == 0);
}

/* What a check passes a service must be able to use. */
Test(config, a_check_tests_whether_directories_are_writable)
{
    static const char *const lines[] = {"directory = /sys/membroker/spill", "files = /sys\ndirectory = /tmp"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[256], *error;
        struct config *config;
        (void)snprintf(text, sizeof text, "[mapped]\n%s\n", lines[i]);
        write_file(file, text);
        struct config_options options = {
            .file = file, .socket = "/run/test.sock", .host_total_bytes = GIB, .look_only = true};
        cr_assert(chmod(directory, 0755) == 0 && chmod(file, 0644) == 0 && (geteuid() != 0 || seteuid(65534) == 0));
        cr_assert(config_load(&options, &config, &error) < 0, "%s", lines[i]);
        cr_expect(strstr(error, ":2: [mapped] ") && strstr(error, "can't be used by user"), "%s", error);
        free(error);
        cr_assert(seteuid(getuid()) == 0);
    }
}

Test(config, settings_of_a_socket_that_the_service_manager_creates_cause_a_note)
{
    char *text;
    size_t size;
    write_config("[server]\nsocket_mode = 0600\n");
    struct config *config = load();
    FILE *out = open_memstream(&text, &size);
    cr_expect_eq(config_notes(config, out), 2, "the mode, and the test's own --socket");
    (void)fclose(out);
    cr_expect(strstr(text, "SocketMode=") && strstr(text, "ListenSequentialPacket="), "%s", text);
    free(text);
    config_free(config);
}

Test(config, settings_that_need_a_restart_are_reported)
{
    char *text;
    size_t size;
    write_config("");
    struct config *before = load();
    write_config("[server]\nsocket_mode = 0600\n[limits]\nmax_bytes = 5G\n");
    struct config *after = load();
    FILE *out = open_memstream(&text, &size);
    cr_expect_eq(config_fixed_differences(before, after, out), 1);
    (void)fclose(out);
    cr_expect_str_eq(text, "[server] socket_mode can't change while the daemon runs: restart it for that\n");
    free(text);
    config_free(before);
    config_free(after);
}

Test(config, a_limit_beyond_the_hosts_memory_causes_a_warning)
{
    char *text;
    size_t size;
    write_config("[limits]\nmax_physical_bytes = 33G\n");
    struct config *config = load();
    FILE *out = open_memstream(&text, &size);
    cr_expect_eq(config_warnings(config, "", out), 1);
    (void)fclose(out);
    cr_expect(strstr(text, "33 GiB") && strstr(text, "32 GiB"), "%s", text);
    free(text);
    config_free(config);
}

/* ---- who gets how much ---- */

Test(config, sections_of_users_groups_and_classes)
{
    expect_error("[class training]\nmax_physical_bytes = 4G\nreserve_bytes = 25%\n", "its own limit is 4 GiB");
    write_config("[class training]\nusers = root 1234\ngroups = root\nclients = train-* eval\nslices = "
                 "ml-training.slice, /kubepods/*\n"
                 "max_physical_bytes = 8G\n"
                 "reserve_bytes = 25%\nmax_leases = 7\npriority = 5\nweight = 3\ncharge = broker\nhuge = try\n"
                 "[user *]\nmax_sessions = 3\n[group 0]\nmax_bytes = unlimited\n");
    struct config *config = load();
    const struct policy *policy = &config->policy;
    cr_assert_eq(policy->rule_count, 3);
    const struct policy_rule *training = policy_find(policy, PRINCIPAL_CLASS, "training");
    cr_assert(training);
    cr_expect_eq(training->member_count, 7);
    cr_expect_eq(training->quota.limits.max_physical_bytes, 8 * GIB);
    cr_expect_eq(training->quota.reserve_bytes, 8 * GIB);
    cr_expect_eq(training->quota.max_leases, 7);
    cr_expect_eq(training->quota.priority, 5);
    cr_expect_eq(training->quota.weight, 3);
    cr_expect_eq(training->quota.charge, CHARGE_BROKER);
    cr_expect_eq(training->quota.huge_pages, HUGE_PAGES_TRY);
    struct identity stranger = {.uid = 99, .gid = 98};
    struct class_reason reason;
    struct policy_client client = {&stranger, "train-7", NULL};
    cr_expect_eq(policy_class(policy, &client, &reason), training);
    client.name = "other";
    cr_expect_null(policy_class(policy, &client, &reason));
    stranger.uid = 1234;
    cr_expect_eq(policy_class(policy, &client, &reason), training);
    stranger.uid = 99;
    client.control_groups = "/ml.slice/ml-training.slice/run-1.scope\n";
    cr_expect_eq(policy_class(policy, &client, &reason), training);
    cr_expect(reason.rule == CLASS_RULE_SLICES && strcmp(reason.pattern, "ml-training.slice") == 0);
    cr_expect_eq(policy_user(policy, 4321)->quota.max_sessions, 3);
    cr_expect_eq(policy_group(policy, &(struct identity){.uid = 5, .gid = 0}),
                 policy_find(policy, PRINCIPAL_GROUP, "0"));
    config_free(config);
}

Test(config, slices_that_cannot_match_are_rejected)
{
    expect_error("[class a]\nslices = training\n", ":4: [class a] slices: \"training\" can't match: a slice such as");
    expect_error("[class a]\nslices = a.slice a--b.slice\n",
                 "\"a--b.slice\" can't match: systemd has no slice of that");
    expect_error("[class a]\nslices = -a.slice\n", "can't match");
    expect_error("[class a]\nslices = a-.slice\n", "can't match");
    expect_error("[class a]\nslices = .slice\n", "can't match");
    expect_error("[class a]\nslices = a.slice/b.service\n", "a path such as");
    expect_error("[class a]\nslices = /a/\n", "a name is missing");
    expect_error("[class a]\nslices = //a\n", "a name is missing");
    expect_error("[class a]\nslices = /a/../b\n", "no control group is called");
    expect_error("[class a]\nslices = /.\n", "no control group is called");
    expect_error("[class a]\nslices = /a\u200b\n", "invisible characters");
    expect_error("[user root]\nslices = a.slice\n", "only a class has members");
    char text[400], name[300];
    memset(name, 'n', sizeof name);
    (void)snprintf(text, sizeof text, "[class a]\nslices = /%.*s\n", 255, name);
    expect_error(text, "is too long");
}

Test(config, reserves_beyond_the_limits_are_rejected)
{
    expect_error("[limits]\nmax_physical_bytes = 10G\n[class a]\nreserve_bytes = 6G\n[user root]\nreserve_bytes = 5G\n",
                 ":8: reserve_bytes: all reserves together are 11 GiB (11811160064 bytes)");
    expect_error("[limits]\nmax_physical_bytes = 10G\n[pool]\npool_bytes = 11G\n", ":6: [pool] pool_bytes");
    expect_error("[pool]\npool_bytes = 100M\nsizes = 1M 1G\n",
                 ":5: [pool] sizes: a segment of 1 GiB can never be ready: [pool] pool_bytes is 100 MiB");
    expect_error("[pool]\nsizes = 1M\n", ":4: [pool] sizes: a segment of 1 MiB can never be ready");
    expect_error("[class a]\nhuge = try\ncharge = client\n", ":4: [class a] huge: the broker fills huge pages");
    expect_error("[user *]\nreserve_bytes = 1G\n", ":4: [user *] reserve_bytes");
}

Test(config, errors_in_sections_name_file_line_and_key)
{
    expect_error("[user nobody-of-that-name]\nweight = 2\n", ":3: [user nobody-of-that-name]: there is no user");
    expect_error("[class a]\nusers = root who\n", ":4: [class a] users: there is no user \"who\"");
    expect_error("[class a]\ngroups = what\n", "there is no group \"what\"");
    expect_error("[user root]\nusers = root\n", "only a class has members");
    expect_error("[user root]\ncharge = client\n", ":4: [user root] charge");
    expect_error("[class a]\ncharge = nobody\n", "broker or client is expected");
    expect_error("[class a]\nweight = 0\n", "a number from 1 to 1000");
    expect_error("[class a]\npriority = 1001\n", "a number from 0 to 1000");
    expect_error("[class a]\nmax_bytes = x\n", "a size is expected");
    expect_error("[class a]\nmax_leases = -1\n", "a number from");
    expect_error("[class a]\nsomething = 1\n", "there is no such key");
    expect_error("[class]\nweight = 1\n", "there is no section [class]");
    expect_error("[class a\u200b]\nweight = 1\n", "invisible characters");
    expect_error("[class a]\nclients = b\u3164*\n", "invisible characters");
    expect_error("[pressure]\nsome = 100%\n", ":4: [pressure] some");
    expect_error("[pressure]\npause_ram_at = sometimes\n", ":4: [pressure] pause_ram_at");
    expect_error("[queue]\nrevoke_for_priority = maybe\n", ":4: [queue] revoke_for_priority");
    expect_error("[pool]\nsizes = 1M 2Q\n", ":4: [pool] sizes");
}

Test(config, two_sections_for_one_user_or_group_are_an_error_that_names_both)
{
    char first[160];
    (void)snprintf(first, sizeof first, ":5: [user 0]: user 0 has a section already, [user root] in %s:3", file);
    expect_error("[user root]\nweight = 2\n[user 0]\nweight = 3\n", first);
    expect_error("[group root]\nweight = 2\n[group 00]\nweight = 3\n", "group 0 has a section already, [group root]");
    write_config("[user 0]\nweight = 2\n[group 0]\nweight = 3\n[class 0]\nweight = 4\n[class 00]\nweight = 5\n"
                 "[user *]\nweight = 6\n[user 1]\nweight = 7\n[user 0]\npriority = 1\n");
    struct config *config = load();
    cr_expect_eq(config->policy.rule_count, 6);
    config_free(config);
}

Test(config, a_key_may_appear_once_in_each_file)
{
    expect_error("[user root]\nweight = 2\npriority = 1\nweight = 3\n",
                 ":6: [user root] weight: it was set before, in line 4; keep one of the two");
    expect_error("[class a]\nclients = x\n[user root]\nweight = 2\n[class a]\nclients = y\n",
                 ":8: [class a] clients: it was set before, in line 4");
    expect_error("[user *]\nmax_leases = 2\nmax_leases = 2\n", ":5: [user *] max_leases: it was set before");
}

Test(config, a_section_without_a_key_counts)
{
    write_config("[user *]\nmax_leases = 2\n[user root]\n");
    struct config *config = load();
    cr_expect_eq(config->policy.rule_count, 2);
    cr_expect_eq(policy_user(&config->policy, 0)->quota.max_leases, LIMIT_OFF);
    config_free(config);
}

Test(config, a_drop_in_continues_a_section)
{
    write_config("[class a]\nweight = 2\npriority = 3\nclients = x y\n");
    cr_assert(mkdir(drop_ins, 0755) == 0);
    char path[160];
    (void)snprintf(path, sizeof path, "%s/1.conf", drop_ins);
    write_file(path, "[class a]\nweight = 9\nclients = z\n");
    struct config *config = load();
    const struct policy_rule *rule = policy_find(&config->policy, PRINCIPAL_CLASS, "a");
    cr_assert(rule && config->policy.rule_count == 1);
    cr_expect_eq(rule->quota.weight, 9);
    cr_expect_eq(rule->quota.priority, 3);
    cr_expect_eq(rule->member_count, 1);
    cr_expect_str_eq(rule->members[0].name, "z");
    config_free(config);
}
