/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl put NAME, get NAME and remove NAME...: small objects. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "client/ctl/holding.h"
#include "client/ctl/names.h"
#include "client/ctl/options.h"
#include "client/ctl/owner.h"
#include "client/ctl/users.h"
#include "proto/base/text.h"

/* A client's work with an object; returns the exit status. */
typedef int object_work(const struct ctl_options *options, mb_client *client, const char *name);

static int check_command(int argc, char **argv)
{
    if (argc < 2) {
        return ctl_usage("%s needs the name of an object", argv[0]);
    }
    if (!ctl_takes(argc, argv, 1)) {
        return CTL_USAGE;
    }
    return ctl_takes_name("an object", argv[1]) ? CTL_DONE : CTL_USAGE;
}

static int work_as_client(const struct ctl_options *options, const char *client_name, const char *name,
                          object_work *work)
{
    struct holding holding;
    int status = holding_open(options, client_name, 0, &holding);
    if (status == CTL_DONE) {
        status = work(options, holding.client, name);
        holding_close(&holding);
    }
    return status;
}

/* ---- put ---- */

static mb_object_options asked = MB_OBJECT_OPTIONS_INIT;

static struct {
    char bytes[MB_OBJECT_BYTES_MAX + 1]; /* one more than fits, which tells what is too long */
    size_t count;
} content;

static int take_access(struct ctl_options *options, const char *value)
{
    (void)options;
    return access_from_text("--access", value, &asked.access, &asked.gid);
}

static const struct ctl_option put_list[] = {
    {"access", '\0', "user|group:GROUP|all", "who may get it (default user: you)", take_access},
};
const struct ctl_option_list put_options = {put_list, sizeof put_list / sizeof *put_list};

static int read_content(void)
{
    ssize_t count = 1;
    while (count != 0 && content.count < sizeof content.bytes) {
        count = read(STDIN_FILENO, content.bytes + content.count, sizeof content.bytes - content.count);
        if (count < 0 && errno != EINTR) {
            return ctl_fail(-errno, "standard input can't be read: %s; nothing was put", strerrordesc_np(errno));
        }
        content.count += count > 0 ? (size_t)count : 0;
    }
    return content.count <= MB_OBJECT_BYTES_MAX
               ? CTL_DONE
               : ctl_fail(-EFBIG,
                          "standard input has more than %d bytes, and an object has at most so many; make a block of "
                          "it: membrokerctl publish FILE",
                          MB_OBJECT_BYTES_MAX);
}

static int put(const struct ctl_options *options, mb_client *client, const char *name)
{
    asked.lifetime = MB_LIFETIME_KEEP; /* or it would end with this program */
    int result = mb_put(client, name, content.bytes, content.count, &asked);
    if (result < 0) {
        return ctl_failed(result);
    }
    if (options->json) {
        return ctl_print(json_pack("{s:b,s:s,s:I}", "put", true, "name", name, "bytes", (json_int_t)content.count),
                         true);
    }
    printf("object %s: put, %zu bytes\n", name, content.count);
    return CTL_DONE;
}

int put_main(const struct ctl_options *options, int argc, char **argv)
{
    int status = check_command(argc, argv);
    if (status == CTL_DONE) {
        status = read_content();
    }
    return status == CTL_DONE ? work_as_client(options, "membrokerctl put", argv[1], put) : status;
}

/* ---- get ---- */

static const struct ctl_option get_list[] = {
    OWNER_OPTION("whose object it is (default: your own)"),
};
const struct ctl_option_list get_options = {get_list, sizeof get_list / sizeof *get_list};

static int get(const struct ctl_options *options, mb_client *client, const char *name)
{
    uint32_t owner;
    int result = owner_said(&owner) ? mb_get_from(client, owner, name, content.bytes, sizeof content.bytes)
                                    : mb_get(client, name, content.bytes, sizeof content.bytes);
    (void)options;
    if (result < 0) {
        return ctl_failed(result);
    }
    (void)fwrite(content.bytes, 1, (size_t)result, stdout); /* the program's end tells if that failed */
    return CTL_DONE;
}

int get_main(const struct ctl_options *options, int argc, char **argv)
{
    int status = check_command(argc, argv);
    if (status != CTL_DONE) {
        return status;
    }
    if (options->json) {
        return ctl_usage("get writes the bytes of an object to standard output, and no JSON");
    }
    if (isatty(STDOUT_FILENO)) {
        return ctl_usage("the bytes of an object could disturb the terminal: redirect standard output to a file or a "
                         "program");
    }
    return work_as_client(options, "membrokerctl get", argv[1], get);
}

/* ---- remove ---- */

static const struct ctl_option remove_list[] = {
    OWNER_OPTION("whose object it is (default: your own)"),
};
const struct ctl_option_list remove_options = {remove_list, sizeof remove_list / sizeof *remove_list};

static int remove_object(const struct ctl_options *options, const char *name)
{
    const struct reply *reply;
    struct request request = {.kind = REQUEST_REMOVE};
    request.remove.has_owner = owner_said(&request.remove.owner);
    text_copy(request.remove.name, sizeof request.remove.name, name);
    int status = ctl_ask(options, &request, &reply);
    return status == CTL_DONE ? names_done(options, "object", name, "removed") : status;
}

int remove_main(const struct ctl_options *options, int argc, char **argv)
{
    return names_are_valid(argc, argv, "an object", "") ? names_each(options, argc, argv, remove_object) : CTL_USAGE;
}
