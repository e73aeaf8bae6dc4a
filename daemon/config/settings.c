/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of keys, made of settings_list.h. */
#include "daemon/config/settings.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/config/config.h"

#define DEFAULT(text)       .initial = (text)
#define OTHERWISE(words)    .otherwise = (words)
#define RANGE(first, final) .least = (first), .most = (final)
#define ANY                 .least = 0, .most = UINT32_MAX
#define RELOAD              true
#define RESTART             false
#define CLASS_ONLY          true
#define ANY_SECTION         false
#define SAID(field)         offsetof(struct policy_rule, field)
#define NO_FLAG             0

#define SETTING(id, in, name, value, range, field, change, fallback, words)                                            \
    [SETTING_##id] = {.section = #in,                                                                                  \
                      .key = #name,                                                                                    \
                      .type = &value_type_##value,                                                                     \
                      .offset = offsetof(struct config, field),                                                        \
                      range,                                                                                           \
                      .is_reloadable = (change),                                                                       \
                      fallback,                                                                                        \
                      .summary = (words)},

const struct setting settings[SETTINGS] = {
#include "daemon/config/settings_list.h"
};
#undef SETTING

#define SECTION_KEY(id, sections, name, value, range, field, said, fallback, words)                                    \
    [SECTION_KEY_##id] = {.section = (sections) ? "class" : "user, group, class",                                      \
                          .key = #name,                                                                                \
                          .type = &value_type_##value,                                                                 \
                          .offset = offsetof(struct policy_rule, field),                                               \
                          .flag = (said),                                                                              \
                          range,                                                                                       \
                          .is_reloadable = true,                                                                       \
                          .is_for_classes = (sections),                                                                \
                          fallback,                                                                                    \
                          .summary = (words)},

const struct setting section_keys[SECTION_KEYS] = {
#include "daemon/config/settings_list.h"
};
#undef SECTION_KEY

/* Each field has the C type that its value type writes. */
#define IS_OF_TYPE(structure, field, type)                                                                             \
    static_assert(__builtin_types_compatible_p(__typeof__(((structure *)0)->field), value_##type),                     \
                  #field " is not what " #type " writes");
#define SETTING(id, in, name, type, range, field, change, fallback, words) IS_OF_TYPE(struct config, field, type)
#define SECTION_KEY(id, sections, name, type, range, field, said, fallback, words)                                     \
    IS_OF_TYPE(struct policy_rule, field, type)
#include "daemon/config/settings_list.h"
#undef SETTING
#undef SECTION_KEY

enum setting_id setting_find(const char *section, const char *key)
{
    int id = 0;
    while (id < SETTINGS && (strcmp(settings[id].section, section) != 0 || strcmp(settings[id].key, key) != 0)) {
        id++;
    }
    return (enum setting_id)id;
}

bool setting_has_section(const char *section)
{
    for (int id = 0; id < SETTINGS; id++) {
        if (strcmp(settings[id].section, section) == 0) {
            return true;
        }
    }
    return false;
}

void *setting_value(const struct setting *setting, void *base)
{
    return (char *)base + setting->offset;
}

const void *setting_const_value(const struct setting *setting, const void *base)
{
    return (const char *)base + setting->offset;
}

const char *setting_parse(const struct setting *setting, void *base, uint64_t host_bytes, const char *text,
                          struct value_reading *reading)
{
    *reading = (struct value_reading){
        .type = setting->type, .host_bytes = host_bytes, .least = setting->least, .most = setting->most};
    const char *wrong = setting->type->parse(reading, text, setting_value(setting, base));
    if (!wrong && setting->flag) {
        *(bool *)((char *)base + setting->flag) = true;
    }
    return wrong;
}

bool setting_is_set(const struct setting *setting, const void *base)
{
    if (setting->flag) {
        return *(const bool *)((const char *)base + setting->flag);
    }
    return value_is_set(setting->type, setting_const_value(setting, base));
}

void setting_print(const struct setting *setting, const void *base, FILE *out)
{
    setting->type->print(setting->type, setting_const_value(setting, base), out);
}

bool setting_differs(const struct setting *setting, const void *a, const void *b)
{
    return setting_is_set(setting, a) != setting_is_set(setting, b) ||
           value_differs(setting->type, setting_const_value(setting, a), setting_const_value(setting, b));
}

bool settings_initialise(void *base, const struct setting *keys, size_t count, uint64_t host_bytes)
{
    struct value_reading reading;
    for (size_t i = 0; i < count; i++) {
        if (keys[i].initial && setting_parse(&keys[i], base, host_bytes, keys[i].initial, &reading)) {
            return false;
        }
    }
    return true;
}

static void list_key(const struct setting *setting, FILE *out)
{
    char range[64] = "";
    if (setting->type->has_range) {
        (void)snprintf(range, sizeof range, " from %" PRIu32 " to %" PRIu32, setting->least, setting->most);
    }
    bool may_be_0 = setting->type == &value_type_DURATION && setting->least == 0;
    (void)fprintf(out, "%s\t%s\t%s%s%s\t%s\t%s\t%s\n", setting->section, setting->key, setting->type->name, range,
                  may_be_0 ? " or 0" : "", setting->initial ? setting->initial : setting->otherwise,
                  setting->is_reloadable ? "reload" : "restart", setting->summary);
}

void settings_list(FILE *out)
{
    (void)fprintf(out, "SECTION\tKEY\tTYPE\tDEFAULT\tCHANGED BY\tMEANING\n");
    for (size_t id = 0; id < SETTINGS; id++) {
        list_key(&settings[id], out);
    }
    for (size_t id = 0; id < SECTION_KEYS; id++) {
        list_key(&section_keys[id], out);
    }
}
