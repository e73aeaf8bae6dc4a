/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as text: comments, quotes and sections; the printed configuration parses as the same; warnings. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config/config_line.h"
#include "tests/unit/printed_config.h"

#define GIB (UINT64_C(1) << 30)

/* Loads what is in the text; NULL and the error otherwise. */
static struct config *load(const char *text, char **ret_error)
{
    char path[64];
    struct config *config = NULL;
    int fd = memfd_create("conf", MFD_CLOEXEC);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct config_options options = {
        .file = path, .socket = "/run/test.sock", .host_total_bytes = 32 * GIB, .look_only = true};
    *ret_error = NULL;
    (void)config_load(&options, &config, ret_error);
    (void)close(fd);
    return config;
}

static struct config *load_good(const char *text)
{
    char *error;
    struct config *config = load(text, &error);
    cr_assert(config, "%s: %s", text, error);
    return config;
}

/* ---- lines ---- */

static void expect_value(const char *line, const char *value)
{
    char text[256];
    struct config_line parts;
    (void)snprintf(text, sizeof text, "%s", line);
    const char *wrong = config_line_parse(text, &parts);
    cr_assert_null(wrong, "%s: %s", line, wrong);
    cr_assert_eq(parts.kind, CONFIG_LINE_SETTING, "%s", line);
    cr_expect_str_eq(parts.key, "key", "%s", line);
    cr_expect_str_eq(parts.value, value, "%s", line);
}

Test(config_text, comments_may_follow_values)
{
    expect_value("key = 1G", "1G");
    expect_value("  key=1G\r\n", "1G");
    expect_value("key: 1G", "1G");
    expect_value("key = 1G # a gibibyte", "1G");
    expect_value("key = 1G\t; a gibibyte # or so", "1G");
    expect_value("key = a#b c;d", "a#b c;d");
    expect_value("key = /srv/#1/x#", "/srv/#1/x#");
    expect_value("key = # nothing", "");
    expect_value("key =", "");
    expect_value("key = \"a # b ; c\"  # a comment", "a # b ; c");
    expect_value("key = \" a \"\"b\"\" \"", " a \"b\" ");
    expect_value("key = \"\"", "");
    expect_value("key = a \"b\" # c", "a \"b\"");
}

static void expect_wrong(const char *line, const char *what)
{
    char text[256];
    struct config_line parts;
    (void)snprintf(text, sizeof text, "%s", line);
    const char *wrong = config_line_parse(text, &parts);
    cr_assert(wrong && strstr(wrong, what), "%s: %s", line, wrong ? wrong : "accepted");
}

Test(config_text, lines_that_are_neither_cause_an_error)
{
    expect_wrong("[class x", "a ] is missing");
    expect_wrong("[class x # y", "a ] is missing");
    expect_wrong("[class x] weight = 3", "after the section's ]");
    expect_wrong("key", "neither [section] nor key = value");
    expect_wrong("key = \"a", "closing \" is missing");
    expect_wrong("key = \"a\" b", "after the value's closing \"");
    expect_wrong("key = \"a\"\"", "closing \" is missing");
}

Test(config_text, sections_and_empty_lines)
{
    static const char *const empty[] = {"", "\n", " \t\r\n", "# x", "  ; y = z", "#[a]"};
    struct config_line parts;
    char text[64];
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        (void)snprintf(text, sizeof text, "%s", empty[i]);
        cr_expect(!config_line_parse(text, &parts) && parts.kind == CONFIG_LINE_EMPTY, "%s", empty[i]);
    }
    (void)snprintf(text, sizeof text, " [ class a #1 ] # its jobs\n");
    cr_assert(!config_line_parse(text, &parts) && parts.kind == CONFIG_LINE_SECTION);
    cr_expect_str_eq(parts.section, "class a #1");
}

Test(config_text, an_unclosed_section_is_reported_where_it_is)
{
    char *error;
    cr_assert_null(load("[limits]\nmax_bytes = 1G\n[class x\nweight = 3\n", &error));
    cr_expect(strstr(error, ":3: the section is not closed"), "%s", error);
    free(error);
    cr_assert_null(load("[user root\nweight = 3\n", &error));
    cr_expect(strstr(error, ":1: the section is not closed"), "%s", error);
    free(error);
}

Test(config_text, a_line_may_be_long)
{
    char text[8192] = "[class a]\nclients =";
    for (int i = 0; i < 500; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), " name-%d", i);
    }
    struct config *config = load_good(text);
    cr_expect_eq(config->policy.rules[0].member_count, 500);
    config_free(config);
}

/* ---- the printed configuration is parsed as the same ---- */

static const char everything[] =
    "[server]\nsocket_mode = 0600\nsocket_group = root\n"
    "[limits]\nheap_bytes = 25%\nmax_bytes = unlimited\nmax_physical_bytes = 10%\nmax_mapped_bytes = nothing\n"
    "[mapped]\ndirectory = \"/tmp/a #1 ;\"\nfiles = /tmp\n"
    "[leases]\ndefault_ttl = 90s\nmin_ttl = 1500ms\nmax_ttl = 2h\nreconnect_grace = 1min\nlearned_sizes = "
    "\"/tmp/\"\"x\"\n"
    "[queue]\nmax_waiting = 7\nmax_waiting_per_user = 6\nmax_waiting_per_session = 5\nmax_wait = 61s\nageing = 0\n"
    "trim_time = 0\nrevoke_for_priority = yes\nrevoke_grace = 7s\n"
    "[pool]\npool_bytes = 1100M\nsizes = 1K 1025 1G\n"
    "[reservations]\nmax_bytes = 9G\nmax_count = 3\n"
    "[pressure]\nsome = 0\nfull = 99%\npause_ram_at = never\n"
    "[access]\nallow_users = root 12345\nallow_groups = root\ndeny_users = 7\ndeny_groups = 8 9\nadmin_users = 5\n"
    "admin_groups = 6\nreserve_users = 4\nsee_all = yes\n"
    "[clients]\nhandshake_time = 3s\nmax_connections = 3\nmax_sessions_per_user = 4\nmax_requests = 5\n"
    "max_requests_per_user = 6\nmax_messages = 7\nmax_messages_per_user = 8\nmax_unread = 9K\n"
    "max_unread_per_user = 1000000000\nmax_control_bytes = unlimited\nmax_control_bytes_per_user = 65537\n"
    "[user *]\nmax_leases = 3\n[user 77]\n"
    "[group 5]\nmax_leases = nothing\nmax_sessions = unlimited\nmax_bytes = nothing\nmax_physical_bytes = "
    "nothing\nmax_mapped_bytes = 12345678901\nreserve_bytes = 0\n"
    "[class a #1]\nslices = a-b\\x2d?.slice /x/z*\nusers = root 99\ngroups = root\nclients = \"#x y\"\nmax_bytes = "
    "unlimited\nmax_sessions = 4\n"
    "reserve_bytes = 1M\npriority = 0\nweight = 2\ncharge = broker\nhuge = always\n";

Test(config_text, the_printed_configuration_is_parsed_as_the_same)
{
    struct config *config = load_good(everything);
    char *first = printed_config(config);
    struct config *again = load_good(first);
    char *second = printed_config(again);
    cr_expect_str_eq(second, first);
    cr_expect_eq(config_fixed_differences(config, again, stderr), 0);
    cr_expect_str_eq(again->spill_directory, "/tmp/a #1 ;");
    cr_expect_str_eq(again->learned_file, "/tmp/\"x");
    cr_expect_eq(again->broker.limits.max_mapped_bytes, 0, "nothing is not unlimited");
    cr_expect_eq(again->broker.limits.max_bytes, LIMIT_OFF);
    cr_expect_eq(again->broker.limits.max_physical_bytes, 32 * GIB / 10);
    cr_expect_eq(again->heap_bytes, 8 * GIB);
    cr_expect_eq(again->clients.control.user_bytes_max, 65537);
    cr_expect_eq(again->policy.rule_count, config->policy.rule_count);
    for (size_t i = 0; i < again->policy.rule_count; i++) {
        const struct policy_rule *left = &config->policy.rules[i], *right = &again->policy.rules[i];
        cr_expect_str_eq(left->name, right->name);
        cr_expect_eq(memcmp(&left->quota.limits, &right->quota.limits, sizeof left->quota.limits), 0, "%s", left->name);
        cr_expect_eq(left->quota.max_leases, right->quota.max_leases, "%s", left->name);
        cr_expect_eq(left->quota.max_sessions, right->quota.max_sessions, "%s", left->name);
        cr_expect_eq(left->member_count, right->member_count, "%s", left->name);
    }
    free(first);
    free(second);
    config_free(config);
    config_free(again);
}

Test(config_text, the_printed_configuration_is_readable)
{
    static const char *const lines[] = {"\nmax_mapped_bytes = nothing\n",
                                        "\nmax_bytes = unlimited\n",
                                        "\nmax_ttl = 2h\n",
                                        "\nmin_ttl = 1500ms\n",
                                        "\nmax_wait = 61s\n",
                                        "\nheap_bytes = 8G\n",
                                        "\nmax_physical_bytes = 3435973836 # 3.1 GiB\n",
                                        "\nsizes = 1K 1025 1G\n",
                                        "\ndirectory = \"/tmp/a #1 ;\"\n",
                                        "\nslices = a-b\\x2d?.slice /x/z*\n",
                                        "\nclients = \"#x y\"\n",
                                        "\nmax_leases = nothing\nmax_sessions = unlimited\n",
                                        "\nmax_leases = unlimited\nmax_sessions = 4\n"};
    struct config *config = load_good(everything);
    char *text = printed_config(config);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        cr_expect(strstr(text, lines[i]), "%s is not in:\n%s", lines[i], text);
    }
    free(text);
    config_free(config);
}

/* A full file system is a limit of 0 bytes, which is not the 0 that switches a limit off. */
Test(config_text, a_limit_of_no_bytes_is_printed_as_one)
{
    struct config *config = load_good("[limits]\nmax_physical_bytes = 1G\n");
    config->broker.limits.max_mapped_bytes = 0;
    char *text = printed_config(config);
    config_free(config);
    config = load_good(text);
    cr_expect_eq(config->broker.limits.max_mapped_bytes, 0);
    free(text);
    config_free(config);
}

Test(config_text, counts_of_nothing_and_unlimited_are_printed_as_such)
{
    static const struct {
        const char *text;
        uint64_t leases;
    } cases[] = {{"nothing", 0}, {"unlimited", LIMIT_OFF}, {"0", LIMIT_OFF}, {"1", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char lines[128];
        (void)snprintf(lines, sizeof lines, "[class a]\nclients = a\nmax_leases = %s\nmax_sessions = %s\n",
                       cases[i].text, cases[i].text);
        struct config *config = load_good(lines);
        char *text = printed_config(config);
        struct config *again = load_good(text);
        cr_expect_eq(config->policy.rules[0].quota.max_leases, cases[i].leases, "%s", cases[i].text);
        cr_expect_eq(again->policy.rules[0].quota.max_leases, cases[i].leases, "%s", text);
        cr_expect_eq(again->policy.rules[0].quota.max_sessions, cases[i].leases, "%s", text);
        free(text);
        config_free(config);
        config_free(again);
    }
}

/* ---- doubts ---- */

static void expect_doubts(const char *text, size_t count, const char *what)
{
    char *warnings = NULL;
    size_t size;
    struct config *config = load_good(text);
    FILE *out = open_memstream(&warnings, &size);
    cr_expect_eq(config_warnings(config, "", out), count, "%s", text);
    (void)fclose(out);
    cr_expect(strstr(warnings, what), "\"%s\" is not in: %s", what, warnings);
    free(warnings);
    config_free(config);
}

Test(config_text, a_class_without_members_causes_a_warning)
{
    expect_doubts("[class a]\nweight = 2\n", 1, ":1: [class a] has no members");
    expect_doubts("[class default]\nweight = 2\n[class b]\nclients = b*\n[user *]\nmax_leases = 3\n", 0, "");
}

Test(config_text, a_slice_that_never_matches_causes_a_warning)
{
    expect_doubts("[class a]\nslices = a-*.slice\n[class b]\nslices = b.slice a-b.slice\n", 1,
                  ":4: [class b] slices: a-b.slice never matches, because a-*.slice in [class a] stands before it");
    expect_doubts("[class a]\nslices = /a.slice/*\n[class b]\nslices = a-b.slice\n", 1, "a-b.slice never matches");
    expect_doubts("[class a]\nslices = a.slice\n[class b]\nslices = a-b.slice\n", 0, "");
    expect_doubts("[class a]\nslices = /a?\n[class b]\nslices = /a*\n", 0, "");
    expect_doubts("[class a]\nslices = a.slice\nclients = x\n[class b]\nclients = x\nslices = b.slice\n", 0, "");
}

Test(config_text, a_limit_below_a_page_causes_a_warning)
{
    expect_doubts("[limits]\nmax_bytes = 512B\n", 1, ":2: [limits] max_bytes is 512 bytes, which is less than a page");
    expect_doubts("[limits]\nmax_mapped_bytes = 4095B\n", 1, "max_mapped_bytes is");
    expect_doubts("[limits]\nmax_mapped_bytes = 0\nmax_physical_bytes = 4K\n", 0, "");
}

Test(config_text, limits_without_effect_cause_a_warning)
{
    expect_doubts("[limits]\nmax_bytes = 1G\nmax_physical_bytes = 2G\n", 1,
                  ":3: [limits] max_physical_bytes never counts: max_bytes is smaller");
    expect_doubts("[limits]\nmax_bytes = 1G\n", 0, "");
    expect_doubts("[limits]\nmax_physical_bytes = 2G\n[user root]\nmax_physical_bytes = 3G\n", 1,
                  ":3: [user root] max_physical_bytes (3 GiB) never counts: the host's is 2 GiB");
    expect_doubts("[class default]\nmax_physical_bytes = 3G\nmax_bytes = 2G\n", 1,
                  "[class default] max_physical_bytes (3 GiB) never counts: its max_bytes is 2 GiB");
    expect_doubts("[queue]\nmax_waiting = 5\nmax_waiting_per_user = 6\n", 1, "max_waiting_per_user never counts");
    expect_doubts("[clients]\nmax_requests = 9\nmax_requests_per_user = 8\n", 1, "max_requests never counts");
    expect_doubts("[access]\nallow_users = root 5\ndeny_users = 6 5\n", 1,
                  "[access] allow_users has 5, and deny_users has it as well");
}
