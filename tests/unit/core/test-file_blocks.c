/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks in files: for processes of their own user, counted as mapped, and evicted for what is short of files. */
#include <errno.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "tests/unit/core/publishing.h"

TestSuite(file_blocks);

enum { OWNER, TWIN /* of the same user */, OTHER };

static struct model *model;

static void begin(uint64_t max_bytes, uint64_t max_physical, uint64_t max_mapped)
{
    model = model_new(max_bytes, max_physical, max_mapped);
    model_open_as(model, OWNER, "a", 1000);
    model_open_as(model, TWIN, "b", 1000);
    model_open_as(model, OTHER, "c", 1002);
}

static const struct reply *acquire(enum location location, uint64_t bytes, const char *file)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){
        .bytes = bytes, .location = location, .ttl_ms = 60000, .numa_node = -1, .publishable = true};
    memcpy(request.acquire.file, file, strlen(file));
    return model_request(model, OWNER, &request);
}

static const struct reply *publish(uint64_t lease, const char *name, enum lifetime lifetime, enum block_access access)
{
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){.lease = lease, .lifetime = lifetime, .access = access, .gid = 7};
    memcpy(request.publish.name, name, strlen(name));
    return model_request(model, OWNER, &request);
}

static void leave_cache(enum location location, const char *name)
{
    uint64_t lease = granted(acquire(location, 2 * MIB, ""));
    cr_assert_eq(publish(lease, name, LIFETIME_CACHE, BLOCK_ACCESS_USER)->kind, REPLY_DONE);
    model_release(model, OWNER, lease);
}

static bool is_there(const char *name)
{
    return block_table_named(&model->broker->blocks, 1000, name);
}

/* ---- publishing ---- */

Test(file_blocks, its_own_user_attaches_it_and_it_counts_as_mapped)
{
    begin(0, 16 * MIB, 16 * MIB);
    uint64_t lease = granted(acquire(LOCATION_MMAP, MIB, ""));
    cr_assert_eq(publish(lease, "n", LIFETIME_SESSION, BLOCK_ACCESS_USER)->kind, REPLY_DONE);
    const struct reply *reply = attach_block(model, TWIN, "n", 0);
    cr_assert_eq(reply->kind, REPLY_ATTACHED);
    cr_expect_eq(reply->attached.location, LOCATION_MMAP);
    uint64_t view = reply->attached.lease;
    cr_expect_eq(attach_block(model, OTHER, "n", 0)->error.code, ERROR_NO_SUCH_BLOCK);
    struct status_reply status = model_status(model);
    cr_expect(status.used_physical_bytes == 0 && status.used_mapped_bytes == MIB);
    model_release(model, OWNER, lease);
    model_release(model, TWIN, view);
    cr_expect_eq(model_status(model).used_mapped_bytes, 0);
    model_free(model);
}

Test(file_blocks, nobody_else_is_let_in)
{
    begin(0, 16 * MIB, 16 * MIB);
    uint64_t lease = granted(acquire(LOCATION_MMAP, MIB, ""));
    const struct reply *reply = publish(lease, "n", LIFETIME_SESSION, BLOCK_ACCESS_ALL);
    refused(reply, ERROR_NOT_SUPPORTED);
    cr_expect(strstr(reply->error.sentence, "publish with access USER, or acquire the block in RAM"));
    cr_expect_eq(publish(lease, "n", LIFETIME_SESSION, BLOCK_ACCESS_USER)->kind, REPLY_DONE);
    model_free(model);
}

Test(file_blocks, a_named_file_is_not_published)
{
    begin(0, 16 * MIB, 16 * MIB);
    const struct reply *reply = acquire(LOCATION_MMAP, MIB, "data");
    refused(reply, ERROR_NOT_SUPPORTED);
    cr_expect(strstr(reply->error.sentence, "a named file can't be published"));
    model_free(model);
}

Test(file_blocks, auto_is_ram_also_when_that_is_full)
{
    begin(0, 2 * MIB, 16 * MIB);
    cr_expect_eq(model_status(model).used_mapped_bytes, 0);
    (void)granted(acquire(LOCATION_AUTO, 2 * MIB, ""));
    cr_expect_eq(model_status(model).used_physical_bytes, 2 * MIB);
    refused(acquire(LOCATION_AUTO, MIB, ""), ERROR_LIMIT);
    model_free(model);
}

Test(file_blocks, one_that_was_changed_or_can_still_be_written_is_refused_with_the_reason)
{
    begin(0, 16 * MIB, 16 * MIB);
    uint64_t lease = granted(acquire(LOCATION_MMAP, MIB, ""));
    model->seal_error = -EPERM;
    const struct reply *reply = publish(lease, "n", LIFETIME_SESSION, BLOCK_ACCESS_USER);
    refused(reply, ERROR_INVALID);
    cr_expect(strstr(reply->error.sentence, "or holes were punched into it"));
    model->seal_error = -EBUSY;
    refused(publish(lease, "n", LIFETIME_SESSION, BLOCK_ACCESS_USER), ERROR_STILL_WRITABLE);
    model_free(model);
}

Test(file_blocks, a_file_system_that_can_not_tell_who_writes_is_named)
{
    begin(0, 16 * MIB, 16 * MIB);
    model->fail_error = -ENOLCK;
    model->fails_files = true;
    const struct reply *reply = acquire(LOCATION_MMAP, MIB, "");
    refused(reply, ERROR_NOT_SUPPORTED);
    cr_expect(strstr(reply->error.sentence, "acquire the block in RAM"), "%s", reply->error.sentence);
    refused(acquire(LOCATION_RAM, MIB, ""), ERROR_SYSTEM);
    cr_expect_eq(model_status(model).used_bytes, 0);
    model_free(model);
}

/* ---- restarts ---- */

Test(file_blocks, it_is_restored_with_its_views)
{
    begin(0, 16 * MIB, 16 * MIB);
    uint64_t lease = granted(acquire(LOCATION_MMAP, MIB, ""));
    cr_assert_eq(publish(lease, "n", LIFETIME_KEEP, BLOCK_ACCESS_USER)->kind, REPLY_DONE);
    cr_assert_eq(attach_block(model, TWIN, "n", 0)->kind, REPLY_ATTACHED);
    model_restart(model);
    cr_expect_eq(model_status(model).used_mapped_bytes, MIB);
    const struct block *block = block_table_named(&model->broker->blocks, 1000, "n");
    cr_assert(block && block->view_count == 1 && block->publisher);
    cr_expect_eq(TAILQ_FIRST(&block->views)->location, LOCATION_MMAP);
    cr_expect_eq(block->publisher->location, LOCATION_MMAP);
    model_free(model);
}

/* ---- evictions ---- */

Test(file_blocks, a_cache_in_a_file_goes_for_files_and_not_for_ram)
{
    begin(0, 4 * MIB, 4 * MIB);
    leave_cache(LOCATION_MMAP, "file");
    leave_cache(LOCATION_RAM, "memory");
    granted(model_acquire(model, OTHER, 3 * MIB, LOCATION_RAM, 0));
    cr_expect(is_there("file") && !is_there("memory"));
    leave_cache(LOCATION_MMAP, "other");
    granted(model_acquire(model, OTHER, 2 * MIB, LOCATION_MMAP, 0));
    cr_expect(!is_there("file") && is_there("other"), "the longest unused goes first");
    refused(model_acquire(model, OTHER, 2 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect(is_there("other"), "in vain");
    model_free(model);
}

Test(file_blocks, either_goes_if_the_limit_on_both_is_short)
{
    begin(6 * MIB, 0, 0);
    leave_cache(LOCATION_RAM, "memory");
    leave_cache(LOCATION_MMAP, "file");
    granted(model_acquire(model, OTHER, 4 * MIB, LOCATION_MMAP, 0));
    cr_expect(is_there("memory") && !is_there("file"), "those in files go first for a file");
    refused(model_acquire(model, OTHER, 6 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect(is_there("memory"), "in vain");
    granted(model_acquire(model, OTHER, 2 * MIB, LOCATION_MMAP, 0));
    cr_expect_not(is_there("memory"));
    model_free(model);
}

/* A file is evicted that the limit on all bytes counts, but the limit on memory needs the other one. */
Test(file_blocks, one_that_does_not_help_is_spared)
{
    begin(4 * MIB, 3 * MIB, 0);
    leave_cache(LOCATION_MMAP, "file");
    leave_cache(LOCATION_RAM, "memory");
    granted(model_acquire(model, OTHER, 2 * MIB, LOCATION_RAM, 0));
    cr_expect(is_there("file") && !is_there("memory"));
    model_free(model);
}
