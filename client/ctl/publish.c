/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl publish FILE: a block with the bytes of a file. Its metadata has their number: sizes are whole pages. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "client/ctl/holding.h"
#include "client/ctl/options.h"
#include "client/ctl/progress.h"
#include "client/ctl/published.h"
#include "client/ctl/users.h"
#include "proto/base/cleanup.h"
#include "proto/base/location.h"
#include "proto/base/size.h"
#include "proto/name.h"

/* What the command line asks for. */
static struct {
    mb_block_options block;
    const char *name; /* NULL: the file's */
    const char *lifetime;
    json_t *metadata; /* an object; NULL: none was given */
} asked = {.block = MB_BLOCK_OPTIONS_INIT};

/* ---- options ---- */

static int take_name(struct ctl_options *options, const char *value)
{
    (void)options;
    asked.name = value;
    return CTL_DONE;
}

static int take_type(struct ctl_options *options, const char *value)
{
    (void)options;
    asked.block.type = value;
    return *value && name_is_valid(value)
               ? CTL_DONE
               : ctl_usage("--type `%s`: a word of 1 to 63 bytes is expected, such as float32", value);
}

static int take_metadata(struct ctl_options *options, const char *value)
{
    json_t *object = json_loads(value, JSON_REJECT_DUPLICATES, NULL);
    (void)options;
    json_decref(asked.metadata);
    asked.metadata = object;
    return json_is_object(object)
               ? CTL_DONE
               : ctl_usage("--metadata `%s`: a JSON object is expected, such as {\"rows\": 3}", value);
}

static int take_lifetime(struct ctl_options *options, const char *value)
{
    static const char *const words[] = {
        [MB_LIFETIME_SESSION] = "session", [MB_LIFETIME_KEEP] = "keep", [MB_LIFETIME_CACHE] = "cache"};
    (void)options;
    for (mb_lifetime lifetime = MB_LIFETIME_SESSION; lifetime <= MB_LIFETIME_CACHE; lifetime++) {
        if (strcmp(words[lifetime], value) == 0) {
            asked.block.lifetime = lifetime;
            asked.lifetime = value;
            return CTL_DONE;
        }
    }
    return ctl_usage("--lifetime `%s`: session, keep or cache is expected", value);
}

static int take_keep(struct ctl_options *options, const char *value)
{
    (void)options;
    return ctl_take_duration("--keep", value, 1, &asked.block.keep_ms);
}

static int take_access(struct ctl_options *options, const char *value)
{
    (void)options;
    return access_from_text("--access", value, &asked.block.access, &asked.block.gid);
}

static int take_location(struct ctl_options *options, const char *value)
{
    (void)options;
    enum location location = location_named(value);
    asked.block.location = (mb_location)location;
    return location_holds_bytes(location) ? CTL_DONE : ctl_usage("--location `%s`: ram or mmap is expected", value);
}

static int take_replace(struct ctl_options *options, const char *value)
{
    (void)options, (void)value;
    asked.block.replace = 1;
    return CTL_DONE;
}

static int take_wait(struct ctl_options *options, const char *value)
{
    (void)options;
    return ctl_take_duration("--wait", value, 0, &asked.block.wait_ms);
}

static const struct ctl_option own_options[] = {
    {"name", '\0', "NAME", "the block's name (default: that of the file, without its directory)", take_name},
    {"type", '\0', "WORD", "what the bytes are (default bytes)", take_type},
    {"metadata", '\0', "OBJECT", "what readers are told, as JSON; the field bytes, the length, is added",
     take_metadata},
    {"lifetime", '\0', "session|keep|cache",
     "when it ends: with this program, when it is unpublished, or when memory is short (default session)",
     take_lifetime},
    {"keep", '\0', "TIME", "for how long it is kept (default: until it is unpublished); with lifetime keep", take_keep},
    {"access", '\0', "user|group:GROUP|all", "who may attach it (default user: you)", take_access},
    {"location", '\0', "ram|mmap",
     "where it lies: in memory, or in a file of the broker (default ram); mmap is for you", take_location},
    {"replace", '\0', NULL, "take the name from your block that has it", take_replace},
    {"wait", '\0', "TIME", "wait in the queue for so long if the memory is not free (default: not at all)", take_wait},
};

const struct ctl_option_list publish_options = {own_options, sizeof own_options / sizeof *own_options};

/* ---- the file ---- */

struct source {
    const char *path;
    int fd;
    struct stat status; /* when it was opened */
};

/* Of a file that the kernel makes up when it is read, such as those of /proc, the size says nothing. */
static int fail_made_up(const struct source *source, const char *what)
{
    return ctl_fail(-EINVAL, "%s %s, as a file that the kernel makes up does; copy it to a file first", source->path,
                    what);
}

static int fail_empty(const struct source *source)
{
    char byte;
    return pread(source->fd, &byte, 1, 0) == 1
               ? fail_made_up(source, "has content and a size of 0")
               : ctl_fail(-EINVAL, "%s is empty; a block has at least one byte", source->path);
}

static int check_length(const struct source *source)
{
    if (!S_ISREG(source->status.st_mode)) {
        return ctl_fail(-EINVAL,
                        "%s is not a regular file, so its length is not known before its end; write it to a "
                        "file first",
                        source->path);
    }
    return source->status.st_size > 0 ? CTL_DONE : fail_empty(source);
}

/* O_NONBLOCK: a pipe without a writer is told, and not waited for. */
static int open_source(const char *path, struct source *ret)
{
    bool is_input = strcmp(path, "-") == 0;
    ret->path = is_input ? "standard input" : path;
    ret->fd = is_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (ret->fd < 0 || fstat(ret->fd, &ret->status) < 0) {
        return ctl_fail(-errno, "%s can't be read: %s", ret->path, strerrordesc_np(errno));
    }
    return check_length(ret);
}

/* Another length, or written to: the block would have a part of each. */
static bool has_changed(const struct source *source)
{
    struct stat now;
    return fstat(source->fd, &now) < 0 || now.st_size != source->status.st_size ||
           now.st_mtim.tv_sec != source->status.st_mtim.tv_sec || now.st_mtim.tv_nsec != source->status.st_mtim.tv_nsec;
}

static int fail_changed(const struct source *source)
{
    return ctl_fail(-EBUSY, "%s changed while it was read (it had %llu bytes); nothing was published", source->path,
                    (unsigned long long)source->status.st_size);
}

static int copy(const struct source *source, const mb_block *block)
{
    enum { PART = 16 << 20 };
    uint64_t bytes = (uint64_t)source->status.st_size;
    struct progress progress = progress_begin(bytes);
    ssize_t count = 1;
    for (uint64_t at = 0; at < bytes && count > 0; at += (uint64_t)count) {
        count = pread(source->fd, (char *)mb_block_data(block) + at, size_min(bytes - at, PART), (off_t)at);
        progress_note(&progress, at);
    }
    progress_end(&progress);
    if (count < 0) {
        return ctl_fail(-errno, "%s can't be read: %s; nothing was published", source->path, strerrordesc_np(errno));
    }
    if (has_changed(source)) {
        return fail_changed(source);
    }
    return count == 0 ? fail_made_up(source, "ends before its size") : CTL_DONE;
}

/* ---- publishing ---- */

static int check_said_length(const json_t *object, uint64_t bytes)
{
    const json_t *said = json_object_get(object, "bytes");
    return !said || (json_is_integer(said) && (uint64_t)json_integer_value(said) == bytes)
               ? CTL_DONE
               : ctl_usage("--metadata: its field bytes is not the length of the file, which is %llu; leave it out",
                           (unsigned long long)bytes);
}

/* On the heap; NULL after a message, with the exit status. */
static char *compose_metadata(uint64_t bytes, int *ret_status)
{
    json_t *object = asked.metadata ? asked.metadata : json_object();
    *ret_status = check_said_length(object, bytes);
    (void)json_object_set_new(object, "bytes", json_integer((json_int_t)bytes));
    char *text = *ret_status == CTL_DONE ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (*ret_status == CTL_DONE && !text) {
        *ret_status = ctl_fail(-ENOMEM, "out of memory");
    }
    return text;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return asked.name ? asked.name : slash ? slash + 1 : path;
}

static int check_command(int argc, char **argv)
{
    if (argc < 2) {
        return ctl_usage("publish needs a file");
    }
    if (!ctl_takes(argc, argv, 1)) {
        return CTL_USAGE;
    }
    const char *name = name_of(argv[1]);
    if (!asked.name && strcmp(name, "-") == 0) {
        return ctl_usage("standard input has no name: say --name NAME");
    }
    if (strspn(name, " ") == strlen(name)) { /* it could be told from no name in no list */
        return ctl_usage("`%s` can't be the name of a block: it has no characters but blanks; say --name NAME", name);
    }
    if (!ctl_takes_name("a block", name)) {
        return CTL_USAGE;
    }
    if (asked.block.keep_ms && !asked.lifetime) {
        asked.block.lifetime = MB_LIFETIME_KEEP;
    }
    return asked.block.keep_ms && asked.block.lifetime != MB_LIFETIME_KEEP
               ? ctl_usage("--keep goes with --lifetime keep, and not with %s", asked.lifetime)
               : CTL_DONE;
}

static void print_published(const struct ctl_options *options, const char *name, uint64_t bytes)
{
    char text[SIZE_TEXT_BYTES];
    bool is_until_signal = asked.block.lifetime == MB_LIFETIME_SESSION;
    if (options->json) {
        (void)ctl_print(json_pack("{s:b,s:s,s:I}", "published", true, "name", name, "bytes", (json_int_t)bytes), true);
        return;
    }
    printf("block %s: published, %s\n", name, size_to_text(bytes, text));
    (void)fflush(stdout);
    if (is_until_signal && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "others can attach it; press Ctrl-C to end it\n");
    }
}

/* Until a signal, or until the block or its lease ends. */
static int wait_for_end(struct published *published, const mb_block *block)
{
    published_watch(published);
    int status = holding_wait(published->holding, mb_block_lease(block), UINT64_MAX);
    int ended = published_end(published);
    return status == CTL_DONE ? ended : status;
}

static int publish_filled(const struct ctl_options *options, mb_block *block, const char *name, uint64_t bytes)
{
    holding_block_signals(); /* until here they end the program, and nothing is published */
    int result = mb_block_publish(block, name);
    if (result < 0) {
        return ctl_failed(result);
    }
    print_published(options, name, bytes);
    return CTL_DONE;
}

static int publish_until_end(const struct ctl_options *options, const struct holding *holding, mb_block *block,
                             const char *name, uint64_t bytes)
{
    struct published published;
    published_prepare(&published, holding, name);
    int status = publish_filled(options, block, name, bytes);
    if (status == CTL_DONE) {
        return wait_for_end(&published, block);
    }
    (void)published_end(&published);
    return status;
}

static int fill_and_publish(const struct ctl_options *options, const struct holding *holding,
                            const struct source *source, mb_block *block, const char *name)
{
    uint64_t bytes = (uint64_t)source->status.st_size;
    int status = copy(source, block);
    if (status != CTL_DONE) {
        return status;
    }
    return asked.block.lifetime == MB_LIFETIME_SESSION ? publish_until_end(options, holding, block, name, bytes)
                                                       : publish_filled(options, block, name, bytes);
}

static int publish(const struct ctl_options *options, const struct source *source, const char *name)
{
    struct holding holding;
    mb_block *block;
    int status;
    cleanup(freep) char *metadata = compose_metadata((uint64_t)source->status.st_size, &status);
    if (!metadata) {
        return status;
    }
    asked.block.type = asked.block.type ? asked.block.type : "bytes";
    asked.block.metadata = metadata;
    asked.block.metadata_bytes = strlen(metadata);
    if (asked.block.metadata_bytes > MB_BLOCK_METADATA_MAX) {
        return ctl_usage("--metadata has %zu bytes with the field bytes, and may have %d; put what is longer into the "
                         "block",
                         asked.block.metadata_bytes, MB_BLOCK_METADATA_MAX);
    }
    status = holding_open(options, "membrokerctl publish", 0, &holding);
    if (status != CTL_DONE) {
        return status;
    }
    int result = mb_block_create(holding.client, (uint64_t)source->status.st_size, &asked.block, &block);
    if (result < 0) {
        status = ctl_failed(result);
    } else {
        status = fill_and_publish(options, &holding, source, block, name);
        (void)mb_block_free(block);
    }
    holding_close(&holding);
    return status;
}

int publish_main(const struct ctl_options *options, int argc, char **argv)
{
    struct source source = {.fd = -EBADF};
    int status = check_command(argc, argv);
    if (status == CTL_DONE) {
        status = open_source(argv[1], &source);
    }
    if (status == CTL_DONE) {
        status = publish(options, &source, name_of(argv[1]));
    }
    (void)fd_close(source.fd);
    return status;
}
