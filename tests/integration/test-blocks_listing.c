/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks as a program lists them. */
#include <stdio.h>

#include "tests/integration/blocks.h"

TestSuite(blocks_listing, .timeout = 60);

enum { MANY = 300 };

struct seen {
    size_t count, most;
    uint64_t last;
    mb_block_info first;
    char name[64], type[64];
};

static int note(const mb_block_info *info, void *user_data)
{
    struct seen *seen = user_data;
    if (seen->count++ == 0) {
        seen->first = *info;
        (void)snprintf(seen->name, sizeof seen->name, "%s", info->name);
        (void)snprintf(seen->type, sizeof seen->type, "%s", info->type);
    }
    cr_expect_gt(info->number, seen->last);
    seen->last = info->number;
    return seen->count == seen->most ? 7 : 0;
}

static struct seen list(void)
{
    struct seen seen = {0};
    cr_assert(mb_list_blocks(client, note, &seen) == 0, "%s", mb_last_error());
    return seen;
}

Test(blocks_listing, shows_what_publishers_said)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    begin("");
    cr_expect_eq(list().count, 0);
    options.type = "float64";
    options.lifetime = MB_LIFETIME_KEEP;
    options.keep_ms = 3600000;
    options.access = MB_ACCESS_ALL;
    mb_block *block = publish_with(client, "weights", &options, 1);
    mb_view *view = attach(client, "weights");
    struct seen seen = list();
    const mb_block_info *info = &seen.first;
    cr_assert_eq(seen.count, 1);
    cr_expect(strcmp(seen.name, "weights") == 0 && strcmp(seen.type, "float64") == 0);
    cr_expect(info->number == mb_view_number(view) && info->bytes == BLOCK_BYTES && info->owner == getuid());
    cr_expect(info->lifetime == MB_LIFETIME_KEEP && info->access == MB_ACCESS_ALL && info->ended == MB_END_NONE);
    cr_expect(info->location == MB_LOCATION_RAM && info->publisher == mb_client_session(client));
    cr_expect(info->views == 2 && info->keep_ms > 3000000 && info->keep_ms <= 3600000);
    cr_expect_eq(mb_unpublish(client, "weights"), 0);
    cr_expect(mb_block_free(block) == 0);
    seen = list();
    cr_expect_eq(seen.first.publisher, 0, "it has let go of it");
    cr_expect(seen.count == 1 && seen.first.ended == MB_END_UNPUBLISHED, "it stays for its views");
    cr_expect(mb_view_close(view) == 0);
    end();
}

Test(blocks_listing, shows_all_of_many_or_as_many_as_are_wanted)
{
    char name[16];
    mb_block *blocks[MANY];
    begin("[sharing]\nmax_blocks = 1000\n[limits]\nmax_bytes = 1G\nmax_physical_bytes = 1G\n");
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        cr_assert(mb_block_create(client, 1, NULL, &blocks[i]) == 0, "%s", mb_last_error());
        cr_assert(mb_block_publish(blocks[i], name) == 0, "%s", mb_last_error());
    }
    cr_expect_eq(list().count, MANY);
    struct seen seen = {.most = 200};
    cr_expect_eq(mb_list_blocks(client, note, &seen), 7);
    cr_expect_eq(seen.count, 200);
    for (int i = 0; i < MANY; i++) {
        cr_expect_eq(mb_block_free(blocks[i]), 0);
    }
    end();
}
