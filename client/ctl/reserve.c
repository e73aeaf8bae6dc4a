/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl reserve, unreserve, suspend and resume, and attach with --cgroup: classes that are made while the broker
 * runs. */
#include "client/ctl/reserve.h"

#include <stdio.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/ctl/print.h"
#include "client/ctl/users.h"
#include "proto/base/text.h"
#include "proto/name.h"

static struct reservation_terms terms;
static bool has_bytes;
static const char *paths[MESSAGE_PATHS_MAX];
static size_t path_count;

/* ---- options ---- */

static int take_bytes(struct ctl_options *options, const char *value)
{
    (void)options;
    has_bytes = true;
    return ctl_take_size("--bytes", value, &terms.bytes);
}

static int take_mapped(struct ctl_options *options, const char *value)
{
    (void)options;
    return ctl_take_size("--mapped", value, &terms.mapped_bytes);
}

static int take_uid(struct ctl_options *options, const char *value)
{
    (void)options;
    terms.has_uid = true;
    return user_from_text("--uid", value, &terms.uid);
}

static int take_priority(struct ctl_options *options, const char *value)
{
    (void)options;
    terms.has_priority = true;
    return ctl_take_number("--priority", value, 0, 1000, &terms.priority);
}

static int take_weight(struct ctl_options *options, const char *value)
{
    (void)options;
    terms.has_weight = true;
    return ctl_take_number("--weight", value, 1, 1000, &terms.weight);
}

static int take_expires(struct ctl_options *options, const char *value)
{
    (void)options;
    return ctl_take_duration("--expires", value, 1, &terms.expires_ms);
}

int reserve_take_cgroup(struct ctl_options *options, const char *value)
{
    static const char mount[] = "/sys/fs/cgroup";
    (void)options;
    if (*value != '/' || strncmp(value, mount, sizeof mount - 1) == 0) {
        return ctl_usage("--cgroup `%s`: a path as /proc/PID/cgroup has it is expected, such as /jobs/7, without %s",
                         value, mount);
    }
    if (path_count == MESSAGE_PATHS_MAX) {
        return ctl_usage("a reservation has at most %d control groups; name a group above them", MESSAGE_PATHS_MAX);
    }
    paths[path_count++] = value;
    return CTL_DONE;
}

bool reserve_has_cgroups(void)
{
    return path_count > 0;
}

static const struct ctl_option reserve_own[] = {
    {"bytes", '\0', "SIZE", "the RAM that is guaranteed to it, and its limit", take_bytes},
    {"mapped", '\0', "SIZE", "its limit of mapped files (default 0)", take_mapped},
    {"uid", '\0', "USER", "only processes of this user are members (default: of any)", take_uid},
    {"priority", '\0', "N", "its priority, 0 to 1000 (default: the user's)", take_priority},
    {"weight", '\0', "N", "its weight, 1 to 1000 (default 1)", take_weight},
    CGROUP_OPTION,
    {"expires", '\0', "TIME", "give it up after this time (default: never)", take_expires},
};

const struct ctl_option_list reserve_options = {reserve_own, sizeof reserve_own / sizeof *reserve_own};

/* ---- verbs ---- */

static int take_name(int argc, char **argv, char ret[MESSAGE_NAME_SIZE])
{
    if (argc < 2) {
        return ctl_usage("%s needs the name of a reservation", argv[0]);
    }
    if (!ctl_takes(argc, argv, 1)) {
        return CTL_USAGE;
    }
    if (!*argv[1] || strlen(argv[1]) >= MESSAGE_CLASS_SIZE || !name_is_valid(argv[1])) {
        return ctl_usage("`%s` can't be the name of a reservation: it must have 1 to 31 bytes of UTF-8", argv[1]);
    }
    text_copy(ret, MESSAGE_NAME_SIZE, argv[1]);
    return CTL_DONE;
}

/* `done`: the JSON field, and the sentence's end. */
static int ask(const struct ctl_options *options, struct request *request, const char *name, const char *done)
{
    const struct reply *reply;
    int result = ctl_ask(options, request, &reply);
    if (result == CTL_DONE && options->json) {
        return ctl_print(json_pack("{s:b,s:s}", done, true, "name", name), true);
    }
    if (result == CTL_DONE) {
        printf("reservation %s: %s\n", name, done);
    }
    return result;
}

/* Who has no control groups can't be a member; a note for people, because groups may be attached later. */
static void warn_of_no_members(const struct ctl_options *options, const char *name)
{
    if (!options->json && path_count == 0) {
        (void)fprintf(stderr,
                      "membrokerctl: reservation %s has no members yet, and its RAM is kept from all others; name "
                      "its control groups: membrokerctl attach %s --cgroup PATH\n",
                      name, name);
    }
}

int reserve_main(const struct ctl_options *options, int argc, char **argv)
{
    int result = take_name(argc, argv, terms.name);
    if (result == CTL_DONE && !has_bytes) {
        result = ctl_usage("reserve needs --bytes SIZE, the RAM that it guarantees");
    }
    if (result != CTL_DONE) {
        return result;
    }
    struct request request = {.kind = REQUEST_RESERVE};
    request.reserve = (struct reserve_request){.terms = terms, .groups = {paths, path_count}};
    result = ask(options, &request, terms.name, "reserved");
    if (result == CTL_DONE) {
        warn_of_no_members(options, terms.name);
    }
    return result;
}

int reserve_attach(const struct ctl_options *options, int argc, char **argv)
{
    struct request request = {.kind = REQUEST_ATTACH, .attach = {.groups = {paths, path_count}}};
    int result = take_name(argc, argv, request.attach.name);
    return result == CTL_DONE ? ask(options, &request, request.attach.name, "attached") : result;
}

static bool page_has(const struct listing_reply *page, const char *name)
{
    for (size_t i = 0; i < page->reservation_count; i++) {
        if (!page->reservations[i].is_over && strcmp(page->reservations[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether there is such a reservation, which the answer to the request to give it up does not say. */
static int find_reservation(const struct ctl_options *options, const char *name, bool *ret_is_there)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_RESERVATIONS}};
    const struct listing_reply *page;
    *ret_is_there = false;
    do {
        const struct reply *reply;
        int result = ctl_ask(options, &request, &reply);
        if (result != CTL_DONE) {
            return result;
        }
        page = &reply->listing;
        *ret_is_there = page_has(page, name);
        if (page->reservation_count) {
            request.list.after = page->reservations[page->reservation_count - 1].reservation;
        }
    } while (!*ret_is_there && page->more && page->reservation_count);
    return CTL_DONE;
}

/* It is given up in any case: there may be one by now. */
static int unreserve_for_people(const struct ctl_options *options, struct request *request)
{
    const struct reply *reply;
    const char *name = request->unreserve.name;
    bool is_there;
    int result = find_reservation(options, name, &is_there);
    if (result != CTL_DONE || is_there) {
        return result == CTL_DONE ? ask(options, request, name, "unreserved") : result;
    }
    result = ctl_ask(options, request, &reply);
    if (result == CTL_DONE) {
        printf("there is no reservation %s\n", name);
    }
    return result;
}

int unreserve_main(const struct ctl_options *options, int argc, char **argv)
{
    struct request request = {.kind = REQUEST_UNRESERVE};
    int result = take_name(argc, argv, request.unreserve.name);
    if (result != CTL_DONE) {
        return result;
    }
    return options->json ? ask(options, &request, request.unreserve.name, "unreserved")
                         : unreserve_for_people(options, &request);
}

static int ask_to_suspend(const struct ctl_options *options, int argc, char **argv, bool ends)
{
    struct request request = {.kind = REQUEST_SUSPEND, .suspend = {.ends = ends}};
    int result = take_name(argc, argv, request.suspend.name);
    return result == CTL_DONE ? ask(options, &request, request.suspend.name, ends ? "resumed" : "suspended") : result;
}

int suspend_main(const struct ctl_options *options, int argc, char **argv)
{
    return ask_to_suspend(options, argc, argv, false);
}

int resume_main(const struct ctl_options *options, int argc, char **argv)
{
    return ask_to_suspend(options, argc, argv, true);
}
