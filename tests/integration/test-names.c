/* SPDX-License-Identifier: Apache-2.0 */
/* Which names blocks and objects can have: the library says it, and the daemon to a client that knows no library. */
#include <errno.h>
#include <string.h>

#include "proto/base/text.h"
#include "tests/integration/publishing.h"

TestSuite(names, .timeout = 60);

static const char *const refused[] = {"", " ", "   ", " a", "a ", "\u00a0a", "a\u3000"};

static struct fixture fixture;

static void expect_refused(const struct party *party, struct request *request, const char *name)
{
    struct reply reply;
    cr_expect_eq(party_ask(party, request, &reply), ERROR_INVALID, "\"%s\"", name);
    cr_expect(strstr(reply.error.sentence, *name ? "begins or ends with a blank" : "must have 1 to 63 bytes"), "%s",
              reply.error.sentence);
}

Test(names, the_daemon_refuses_a_blank_at_either_end)
{
    fixture_start(&fixture, "");
    struct party party = party_open(&fixture);
    struct written written = party_write(&party, LOCATION_RAM, 1);
    written_give_up(&written);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct request publish = {.kind = REQUEST_PUBLISH, .publish = {.lease = written.lease, .type = "test"}};
        struct request put = {.kind = REQUEST_PUT, .put = {.data = {(const uint8_t *)"x", 1}}};
        text_copy(publish.publish.name, sizeof publish.publish.name, refused[i]);
        text_copy(put.put.name, sizeof put.put.name, refused[i]);
        expect_refused(&party, &publish, refused[i]);
        expect_refused(&party, &put, refused[i]);
    }
    cr_expect_eq(party_publish(&party, &written, "a b", LIFETIME_SESSION), ERROR_UNSPECIFIED);
    written_close(&written);
    party_close(&party);
    fixture_stop(&fixture);
}

Test(names, the_library_refuses_a_blank_at_either_end)
{
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, 0);
    mb_block *block = NULL;
    cr_assert_eq(mb_block_create(client, 1, NULL, &block), 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *sentence = *refused[i] ? "begins or ends with a blank" : "must have 1 to 63 bytes";
        cr_expect_eq(mb_put(client, refused[i], "x", 1, NULL), -EINVAL, "\"%s\"", refused[i]);
        cr_expect(strstr(mb_last_error(), sentence), "%s", mb_last_error());
        cr_expect_eq(mb_block_publish(block, refused[i]), -EINVAL, "\"%s\"", refused[i]);
        cr_expect(strstr(mb_last_error(), sentence), "%s", mb_last_error());
    }
    cr_expect_eq(mb_put(client, "a b", "x", 1, NULL), 0, "%s", mb_last_error());
    cr_expect_eq(mb_remove(client, "a b"), 0, "%s", mb_last_error());
    mb_block_free(block);
    mb_disconnect(client);
    fixture_stop(&fixture);
}
