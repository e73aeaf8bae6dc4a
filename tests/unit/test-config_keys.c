/* SPDX-License-Identifier: Apache-2.0 */
/* Every key of the configuration, one at a time: a reload changes it, or says that it needs a restart. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config/settings.h"
#include "proto/base/cleanup.h"
#include "tests/unit/printed_config.h"

static char directory[64], file[96];

static void set_up(void)
{
    (void)strcpy(directory, "/tmp/membroker-keys-XXXXXX");
    cr_assert(mkdtemp(directory));
    (void)snprintf(file, sizeof file, "%s/conf", directory);
}

static void tear_down(void)
{
    (void)unlink(file);
    (void)rmdir(directory);
}

TestSuite(config_keys, .init = set_up, .fini = tear_down);

/* Values of every type. One of them must be accepted as another value than a key has: a new type needs one here. */
static const char *const candidates[] = {"/tmp", "0600", "root",  "96M", "3s",  "40s",    "7",     "12%",
                                         "yes",  "some", "1M 2M", "0",   "try", "broker", "work*", "nothing"};

enum { CANDIDATES = sizeof candidates / sizeof *candidates };

static void write_file(const char *text)
{
    FILE *out = fopen(file, "we");
    cr_assert(out);
    (void)fputs(text, out);
    (void)fclose(out);
}

/* NULL: the text is refused. */
static struct config *load(const char *text)
{
    const struct config_options options = {.file = file, .host_total_bytes = UINT64_C(1) << 35};
    struct config *config = NULL;
    char *error = NULL;
    write_file(text);
    int result = config_load(&options, &config, &error);
    free(error);
    return result < 0 ? NULL : config;
}

/* All settings as they are, with one of them, of this section, set to another value. */
static char *replace(const char *all, const char *section, const char *key, const char *value)
{
    char *text = NULL, line[1024], here[128] = "";
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool is_done = false;
    cr_assert(out);
    for (const char *at = all; *at; at += strcspn(at, "\n") + 1) {
        const char *name = line;
        (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
        (void)sscanf(line, "[%127[^]]", here);
        name += strspn(name, "# ");
        size_t length = strlen(key);
        bool is_key = strcmp(here, section) == 0 && strncmp(name, key, length) == 0 && name[length] == ' ';
        is_done |= is_key;
        (void)fprintf(out, is_key ? "%s = %s\n" : "%.0s%.0s%s\n", key, value, line);
    }
    if (!is_done) {
        (void)fprintf(out, "[%s]\n%s = %s\n", section, key, value);
    }
    (void)fclose(out);
    return text;
}

/* A configuration that differs from the one in force in this key alone; NULL: no candidate gives one. */
static struct config *change(const struct config *in_force, const char *section, const char *key)
{
    cleanup(freep) char *before = printed_config(in_force);
    for (size_t i = 0; i < CANDIDATES; i++) {
        cleanup(freep) char *text = replace(before, section, key, candidates[i]);
        struct config *loaded = load(text);
        cleanup(freep) char *after = loaded ? printed_config(loaded) : strdup(before);
        if (strcmp(after, before) != 0) {
            return loaded;
        }
        config_free(loaded);
    }
    return NULL;
}

static size_t count_fixed(const struct config *in_force, const struct config *loaded, char *ret_text, size_t size)
{
    FILE *out = fmemopen(ret_text, size, "w");
    cr_assert(out);
    size_t count = config_fixed_differences(in_force, loaded, out);
    (void)fclose(out);
    return count;
}

/* Everything is explicit, so that a change of one key changes no default of another one. */
static struct config *load_in_force(void)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "[server]\nsocket = %s/socket\n[mapped]\ndirectory = %s\n[limits]\nmax_physical_bytes = 20G\n"
                   "max_mapped_bytes = 20G\nmax_bytes = 40G\n[pool]\npool_bytes = 64M\n"
                   "[leases]\nlearned_sizes = %s/learned\n[user root]\n[group root]\n[class a]\nclients = x\n",
                   directory, directory, directory);
    struct config *first = load(text);
    cr_assert(first);
    cleanup(freep) char *whole = printed_config(first);
    config_free(first);
    return load(whole);
}

static void expect_reload(const char *section, const struct setting *key)
{
    char told[512] = "", sentence[256];
    struct config *in_force = load_in_force();
    struct config *loaded = change(in_force, section, key->key);
    cr_assert(loaded, "[%s] %s takes none of the candidates", section, key->key);
    cleanup(freep) char *before = printed_config(in_force), *wanted = printed_config(loaded);
    size_t fixed = count_fixed(in_force, loaded, told, sizeof told);
    config_adopt(in_force, loaded);
    cleanup(freep) char *after = printed_config(in_force);
    (void)snprintf(sentence, sizeof sentence, "[%s] %s can't change while the daemon runs: restart it for that\n",
                   section, key->key);
    cr_expect_eq(fixed, key->is_reloadable ? 0 : 1, "[%s] %s: %s", section, key->key, told);
    cr_expect_str_eq(told, key->is_reloadable ? "" : sentence);
    cr_expect_str_eq(after, key->is_reloadable ? wanted : before, "[%s] %s", section, key->key);
    config_free(in_force);
}

Test(config_keys, a_reload_changes_each_setting_or_says_that_it_needs_a_restart)
{
    for (int id = 0; id < SETTINGS; id++) {
        expect_reload(settings[id].section, &settings[id]);
    }
}

Test(config_keys, a_reload_changes_each_key_of_a_section)
{
    static const char *const sections[] = {"class a", "user root", "group root"};
    for (int id = 0; id < SECTION_KEYS; id++) {
        for (size_t i = 0; i < (section_keys[id].is_for_classes ? 1 : 3); i++) {
            expect_reload(sections[i], &section_keys[id]);
        }
    }
}

/* The broker's core has the values of the table without anybody copying them. */
Test(config_keys, what_a_reload_changes_reaches_the_core)
{
    struct config *in_force = load_in_force();
    struct config *loaded = change(in_force, "queue", "max_wait");
    cr_assert(loaded);
    config_adopt(in_force, loaded);
    cr_expect_eq(config_broker_settings(in_force).queue.wait_max_ms, 3000);
    cr_expect_eq(config_broker_settings(in_force).policy, &in_force->policy);
    config_free(in_force);
}

Test(config_keys, a_section_without_keys_has_the_defaults_of_the_table)
{
    struct policy_rule rule = {.kind = PRINCIPAL_CLASS}, empty = {.kind = PRINCIPAL_CLASS, .quota = quota_none()};
    struct value_reading reading;
    for (int id = 0; id < SECTION_KEYS; id++) {
        const struct setting *key = &section_keys[id];
        if (key->initial) {
            cr_assert_null(setting_parse(key, &rule, 1, key->initial, &reading), "%s", key->key);
        }
        cr_expect(!value_differs(key->type, setting_const_value(key, &rule), setting_const_value(key, &empty)), "%s",
                  key->key);
    }
}

Test(config_keys, each_key_has_one_name_and_says_what_it_is)
{
    for (int id = 0; id < SETTINGS; id++) {
        cr_expect_eq(setting_find(settings[id].section, settings[id].key), (enum setting_id)id);
        cr_expect(settings[id].summary && (settings[id].initial || settings[id].otherwise), "%s", settings[id].key);
    }
}
