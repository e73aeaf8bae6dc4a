/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as text: exact numbers, labels of any text, users who hold most. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/metrics/families.h"

TestSuite(exposition);

static const char *number(uint64_t whole, uint64_t part)
{
    static char text[EXPOSITION_NUMBER_BYTES];
    return exposition_number(whole, part, text);
}

Test(exposition, numbers_are_exact)
{
    cr_expect_str_eq(number(0, 1), "0");
    cr_expect_str_eq(number(100, 1), "100");
    cr_expect_str_eq(number(UINT64_MAX, 1), "18446744073709551615");
    cr_expect_str_eq(number(1500, 1000), "1.5");
    cr_expect_str_eq(number(1000, 1000), "1");
    cr_expect_str_eq(number(1, 1000000000), "0.000000001");
    cr_expect_str_eq(number(UINT64_MAX, 1000000000), "18446744073.709551615");
}

Test(exposition, labels_are_escaped)
{
    static const struct family family = {"x", FAMILY_COUNTER, NULL, "Help."};
    char *text;
    size_t length;
    struct exposition exposition = {open_memstream(&text, &length), EXPOSITION_OPENMETRICS};
    exposition_family(&exposition, &family);
    exposition_value(&exposition, &family, (const struct label[]){{"a", "\"\\\n}"}, {"b", ""}, {NULL, NULL}}, 1, 1);
    exposition_end(&exposition);
    (void)fclose(exposition.file);
    cr_expect_str_eq(text, "# HELP membroker_x Help.\n# TYPE membroker_x counter\n"
                           "membroker_x_total{a=\"\\\"\\\\\\n}\",b=\"\"} 1\n# EOF\n");
    free(text);
}

/* ---- gathering ---- */

enum { ROWS = 100 };
static struct usage_entry rows[ROWS];
static size_t asked;
static bool answers_wrongly;

static int ask(void *data, struct request *request, const struct reply **ret)
{
    static struct reply reply;
    size_t at = request->list.after;
    (void)data;
    asked++;
    *ret = &reply;
    reply = (struct reply){.kind = request->kind == REQUEST_STATUS && !answers_wrongly ? REPLY_STATUS : REPLY_METRICS};
    if (reply.kind == REPLY_STATUS) {
        reply.status.daemon_version = "a\"b";
        reply.status.configuration_error = "bad";
        reply.status.warnings = "one\ntwo";
    }
    if (request->kind == REQUEST_LIST) {
        reply.kind = REPLY_LISTING;
        reply.listing = (struct listing_reply){.usage = &rows[at], .usage_count = 10, .more = at + 10 < ROWS};
    }
    return asked > 20 ? -ETIMEDOUT : 0;
}

static void have_users(void)
{
    asked = 0;
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = (struct usage_entry){.number = i + 1, .kind = USAGE_USER, .id = (uint32_t)i, .bytes = i * 7 % ROWS};
    }
    rows[5].kind = USAGE_CLASS;
    strcpy(rows[5].name, "training");
    rows[6].kind = USAGE_RESERVATION;
    rows[7].kind = USAGE_GROUP;
}

Test(exposition, those_who_hold_most_have_metrics_of_their_own)
{
    struct gathered gathered;
    have_users();
    cr_assert_eq(gather(ask, NULL, 3, &gathered), 0);
    cr_expect(gathered.user_count == 3 && gathered.all_users == 97 && gathered.class_count == 2);
    cr_expect(gathered.users[0].bytes == 99 && gathered.users[1].bytes == 98 && gathered.users[2].bytes == 97);
    cr_expect(gathered.broker.is_misconfigured == 1 && gathered.broker.warnings == 2);
    cr_expect_str_eq(gathered.broker.version, "a\"b");
    size_t length;
    char *text = families_to_text(&gathered, EXPOSITION_PROMETHEUS, &length);
    cr_expect(strstr(text, "membroker_build_info{version=\"a\\\"b\"} 1\n"));
    cr_expect(strstr(text, "membroker_users 97\n") && strstr(text, "# TYPE membroker_grants_total counter\n"));
    cr_expect(!strstr(text, "# EOF") && !strstr(text, "# UNIT"));
    free(text);
    gather_free(&gathered);
    have_users();
    cr_assert_eq(gather(ask, NULL, 0, &gathered), 0);
    cr_expect_eq(gathered.user_count, 0);
    gather_free(&gathered);
    have_users();
    cr_assert_eq(gather(ask, NULL, 1000, &gathered), 0);
    cr_expect_eq(gathered.user_count, 97);
    gather_free(&gathered);
}

Test(exposition, a_failure_leaves_nothing)
{
    struct gathered gathered;
    have_users();
    asked = 15; /* it stops in the middle of the list */
    cr_expect_eq(gather(ask, NULL, 3, &gathered), -ETIMEDOUT);
    cr_expect(!gathered.users && !gathered.classes);
    have_users();
    answers_wrongly = true;
    cr_expect_eq(gather(ask, NULL, 3, &gathered), -EPROTO);
}
