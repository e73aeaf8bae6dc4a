/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of a process's control groups, the patterns that match them, and the class that follows. */
#include <errno.h>
#include <string.h>

#include "tests/unit/core/sharing.h"

TestSuite(control_group);

/* ---- /proc/PID/cgroup ---- */

static void expect_groups(const char *text, const char *groups)
{
    char got[CONTROL_GROUPS_SIZE];
    cr_expect_eq(control_groups_parse(text, got), 0, "%s", text);
    cr_expect_str_eq(got, groups, "%s", text);
}

Test(control_group, version_2_has_one_path)
{
    expect_groups("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-xterm-2912.scope\n",
                  "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-xterm-2912.scope\n");
    expect_groups("0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7d1fa1b4_6a55.slice/"
                  "cri-containerd-3f6f06ab.scope\n",
                  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7d1fa1b4_6a55.slice/"
                  "cri-containerd-3f6f06ab.scope\n");
    expect_groups("0::/\n", "/\n");
    expect_groups("0::/../other.slice\n", "/../other.slice\n");
}

Test(control_group, version_1_has_a_path_in_each_hierarchy)
{
    expect_groups(
        "11:pids:/system.slice/slurmd.service\n10:cpuset:/slurm/uid_1000/job_7/step_0\n"
        "9:memory:/slurm/uid_1000/job_7/step_0/task_0\n8:net_cls,net_prio:/\n7:rdma:/\n6:perf_event:/\n"
        "5:freezer:/slurm/uid_1000/job_7/step_0\n4:cpu,cpuacct:/system.slice/slurmd.service\n3:blkio:/\n"
        "2:devices:/system.slice/slurmd.service\n1:name=systemd:/system.slice/slurmd.service\n",
        "/system.slice/slurmd.service\n/slurm/uid_1000/job_7/step_0\n/slurm/uid_1000/job_7/step_0/task_0\n/\n");
    expect_groups("12:memory:/docker/9ad3\n11:cpu,cpuacct:/docker/9ad3\n1:name=systemd:/docker/9ad3\n",
                  "/docker/9ad3\n");
}

Test(control_group, a_hybrid_has_both)
{
    expect_groups("12:pids:/user.slice/user-1000.slice/session-3.scope\n11:memory:/user.slice/user-1000.slice\n"
                  "10:cpu,cpuacct:/\n1:name=systemd:/user.slice/user-1000.slice/session-3.scope\n"
                  "0::/user.slice/user-1000.slice/session-3.scope\n",
                  "/user.slice/user-1000.slice/session-3.scope\n/user.slice/user-1000.slice\n/\n");
}

Test(control_group, paths_may_have_any_byte_but_a_newline)
{
    expect_groups("0::/a:b:/c d\n", "/a:b:/c d\n");
    expect_groups("1:name=x:/\xff\n", "/\xff\n");
    expect_groups("0::/no-newline", "/no-newline\n");
    expect_groups("", "");
    expect_groups("\n:\n::\n0:\n0::\n0::relative\nnonsense\n4:cpu:/ok\n", "/ok\n");
}

Test(control_group, paths_that_are_too_long_are_an_error)
{
    static char text[3 * CONTROL_GROUPS_SIZE];
    char groups[CONTROL_GROUPS_SIZE];
    memcpy(text, "0::/", 4);
    memset(text + 4, 'p', CONTROL_GROUPS_SIZE - 3);
    cr_expect_eq(control_groups_parse(text, groups), 0, "as long as a path can be");
    cr_expect_eq(strlen(groups), CONTROL_GROUPS_SIZE - 1);
    text[strlen(text)] = 'p';
    cr_expect_eq(control_groups_parse(text, groups), -E2BIG);
    cr_expect_str_eq(groups, "");
    text[CONTROL_GROUPS_SIZE / 2] = '\n';
    memcpy(text + CONTROL_GROUPS_SIZE / 2 + 1, "1:cpu:/", 7);
    memset(text + CONTROL_GROUPS_SIZE / 2 + 8, 'q', CONTROL_GROUPS_SIZE);
    cr_expect_eq(control_groups_parse(text, groups), -E2BIG, "two that are");
    cr_expect_str_eq(groups, "");
}

/* ---- patterns ---- */

Test(control_group, a_slice_has_everything_below_it)
{
    cr_expect_eq(control_pattern_match("training.slice", "/training.slice\n"), 2);
    cr_expect_eq(control_pattern_match("training.slice", "/training.slice/a.service/worker\n"), 2);
    cr_expect_eq(control_pattern_match("training.slice", "/training.slice/training-gpu.slice/a.service\n"), 2);
    cr_expect_eq(control_pattern_match("training-gpu.slice", "/training.slice/training-gpu.slice/a.service\n"), 3);
    cr_expect_eq(control_pattern_match("a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice\n"), 4);
    cr_expect_eq(control_pattern_match("-.slice", "/\n"), 1);
    cr_expect_eq(control_pattern_match("-.slice", "/any.slice\n"), 1);
    cr_expect_eq(control_pattern_match("user-*.slice", "/user.slice/user-1000.slice/session-1.scope\n"), 3);
    cr_expect_eq(control_pattern_match("user-?.slice", "/user.slice/user-0.slice\n"), 3);
    cr_expect_eq(control_pattern_match("a\\x2db.slice", "/a\\x2db.slice/x\n"), 2, "as systemd writes a - in a part");
}

Test(control_group, a_slice_is_where_systemd_puts_it)
{
    cr_expect_eq(control_pattern_match("training.slice", "/training.slices\n"), 0);
    cr_expect_eq(control_pattern_match("training.slice", "/atraining.slice\n"), 0);
    cr_expect_eq(control_pattern_match("training.slice", "/\n"), 0);
    cr_expect_eq(
        control_pattern_match("training.slice", "/user.slice/user-1000.slice/user@1000.service/training.slice\n"), 0,
        "a user can make that");
    cr_expect_eq(control_pattern_match("training-gpu.slice", "/training-gpu.slice\n"), 0);
    cr_expect_eq(control_pattern_match("training-gpu.slice", "/training.slice\n"), 0);
    cr_expect_eq(control_pattern_match("training.slice", "/../training.slice\n"), 0, "outside of our namespace");
    cr_expect_eq(control_pattern_match("user-?.slice", "/user.slice/user-10.slice\n"), 0);
}

Test(control_group, a_path_has_everything_below_it)
{
    cr_expect_eq(control_pattern_match("/kubepods", "/kubepods\n"), 2);
    cr_expect_eq(control_pattern_match("/kubepods", "/kubepods/burstable/pod1\n"), 2);
    cr_expect_eq(control_pattern_match("/kubepods", "/kubepods2\n"), 0);
    cr_expect_eq(control_pattern_match("/kubepods/*", "/kubepods\n"), 0);
    cr_expect_eq(control_pattern_match("/kubepods/*", "/kubepods/burstable/pod1\n"), 3);
    cr_expect_eq(control_pattern_match("/kubepods/*/pod*", "/kubepods/burstable/pod1/c\n"), 4);
    cr_expect_eq(control_pattern_match("/kubepods/pod*", "/kubepods/burstable/pod1\n"), 0, "a * stays within a name");
    cr_expect_eq(control_pattern_match("/*a*b*c", "/aabbcc\n"), 2);
    cr_expect_eq(control_pattern_match("/*a*b*c", "/aabbcd\n"), 0);
    cr_expect_eq(control_pattern_match("/a*", "/a\n"), 2);
    cr_expect_eq(control_pattern_match("/[ab]", "/a\n"), 0, "brackets are ordinary");
    cr_expect_eq(control_pattern_match("/[ab]", "/[ab]\n"), 2);
    cr_expect_eq(control_pattern_match("/", "/x\n"), 1);
    cr_expect_eq(control_pattern_match("/", ""), 0);
    cr_expect_eq(control_pattern_match("/", NULL), 0);
    cr_expect_eq(control_pattern_match("/b", "/a\n/b/c\n"), 2, "in any hierarchy");
}

Test(control_group, patterns_that_cannot_match_are_named)
{
    static const char *const good[] = {"a.slice", "-.slice",  "a-b.slice", "/",      "/a",
                                       "/a/b*",   "/.hidden", "/...",      "*.slice"};
    static const char *const bad[] = {"",           "a",        ".slice",   "a.service", "a.slice/b", "--.slice",
                                      "a--b.slice", "-a.slice", "a-.slice", "//",        "/a//b",     "/a/",
                                      "/.",         "/a/..",    "slice",    "a/b.slice"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_expect_null(control_pattern_fault(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect(control_pattern_fault(bad[i]), "%s", bad[i]);
    }
}

Test(control_group, names_that_no_group_can_have_are_named)
{
    char path[CONTROL_NAME_MAX + 3] = "/", slice[CONTROL_NAME_MAX + 2];
    memset(path + 1, 'x', CONTROL_NAME_MAX + 1);
    path[CONTROL_NAME_MAX + 2] = '\0';
    cr_expect(strstr(control_pattern_fault(path), "at most 255 bytes"));
    cr_expect(control_pattern_covers("/*", path));
    path[CONTROL_NAME_MAX + 1] = '\0';
    cr_expect_null(control_pattern_fault(path));
    memset(slice, 'x', sizeof slice);
    (void)strcpy(slice + sizeof slice - sizeof ".slice", ".slice");
    cr_expect(strstr(control_pattern_fault(slice), "at most 255 bytes"));
    cr_expect_null(control_pattern_fault(slice + 1));
}

Test(control_group, a_name_of_any_length_is_compared_within_bounds)
{
    char path[2 * CONTROL_NAME_MAX] = "/";
    memset(path + 1, 'x', sizeof path - 2);
    path[sizeof path - 1] = '\0';
    cr_expect(control_pattern_covers("/*", path));
}

Test(control_group, patterns_that_cover_others)
{
    cr_expect(control_pattern_covers("a.slice", "a.slice"));
    cr_expect(control_pattern_covers("a-*.slice", "a-b.slice"));
    cr_expect(control_pattern_covers("/a.slice/*", "a-b.slice"));
    cr_expect(control_pattern_covers("a-b.slice", "/a.slice/a-b.slice"));
    cr_expect(control_pattern_covers("/a*", "/a?c"));
    cr_expect(control_pattern_covers("-.slice", "/"));
    cr_expect(control_pattern_covers("/a?", "/ab"));
    cr_expect_not(control_pattern_covers("/a?", "/a*"));
    cr_expect_not(control_pattern_covers("a.slice", "a-b.slice"), "the closer one counts");
    cr_expect_not(control_pattern_covers("a-b.slice", "a.slice"));
    cr_expect_not(control_pattern_covers("/b", "/a"));
}

/* ---- classes ---- */

static struct policy_member far[] = {{.kind = MEMBER_USER, .id = 5}, {.kind = MEMBER_SLICE, .name = "a.slice"}};
static struct policy_member near[] = {{.kind = MEMBER_SLICE, .name = "a-b.slice"},
                                      {.kind = MEMBER_CLIENT, .name = "x*"}};
static struct policy_member same[] = {{.kind = MEMBER_SLICE, .name = "/a.slice/*"}, {.kind = MEMBER_GROUP, .id = 7}};
static struct policy_rule rules[] = {
    {.kind = PRINCIPAL_CLASS, .name = "far", .members = far, .member_count = 2},
    {.kind = PRINCIPAL_CLASS, .name = "near", .members = near, .member_count = 2},
    {.kind = PRINCIPAL_CLASS, .name = "same", .members = same, .member_count = 2},
};
static const struct policy policy = {.rules = rules, .rule_count = 3};

static void expect_class(uint32_t uid, const char *name, const char *groups, const char *class, enum class_rule rule,
                         const char *pattern)
{
    const struct identity identity = {.uid = uid, .gid = 7};
    struct class_reason reason;
    const struct policy_rule *found = policy_class(&policy, &(struct policy_client){&identity, name, groups}, &reason);
    cr_assert(found);
    cr_expect_str_eq(found->name, class);
    cr_expect_eq(reason.rule, rule);
    cr_expect_str_eq(reason.pattern, pattern);
}

Test(control_group, the_closest_slice_decides_before_all_else)
{
    expect_class(5, "x", "/a.slice/c.service\n", "same", CLASS_RULE_SLICES, "/a.slice/*");
    expect_class(5, "x", "/a.slice/a-b.slice/c\n", "near", CLASS_RULE_SLICES, "a-b.slice");
    expect_class(6, "x", "/a.slice\n", "far", CLASS_RULE_SLICES, "a.slice");
    expect_class(5, "x", "/b.slice\n", "far", CLASS_RULE_USERS, "");
    expect_class(6, "x", NULL, "near", CLASS_RULE_CLIENTS, "x*");
    expect_class(6, "y", "/\n", "same", CLASS_RULE_GROUPS, "");
}

/* ---- sessions ---- */

static struct session_entry listed(struct model *model, int peer)
{
    struct session_entry entry = {0};
    bool more;
    cr_assert_eq(
        broker_list_sessions(model->broker, &model_root, model->peers[peer].session - 1, model->now, &entry, 1, &more),
        1);
    return entry;
}

static void expect_listed(struct model *model, int peer, const char *class, enum class_rule rule, const char *pattern)
{
    struct session_entry entry = listed(model, peer);
    cr_expect_str_eq(entry.class, class);
    cr_expect_eq(entry.class_rule, rule);
    cr_expect_str_eq(entry.class_pattern, pattern);
}

static struct model *model_with_policy(void)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model->options.settings.policy = &model_policy;
    model_configure(model);
    return model;
}

Test(control_group, a_session_says_why_it_has_its_class)
{
    struct model *model = model_with_policy();
    model_open_in(model, 0, "a1", "/jobs.slice/jobs-7.slice\n");
    model_open_in(model, 1, "a1", "/other.slice\n");
    model_open_in(model, 2, "none", NULL);
    expect_listed(model, 0, "c", CLASS_RULE_SLICES, "jobs-*.slice");
    expect_listed(model, 1, "a", CLASS_RULE_CLIENTS, "a*");
    expect_listed(model, 2, "default", CLASS_RULE_DEFAULT, "");
    model_free(model);
}

Test(control_group, a_reload_and_a_restart_keep_the_groups_in_mind)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model_open_in(model, 0, "a1", "/jobs.slice/jobs-7.slice\n");
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    expect_listed(model, 0, "default", CLASS_RULE_DEFAULT, "");
    model->options.settings.policy = &model_policy;
    model_configure(model);
    expect_listed(model, 0, "c", CLASS_RULE_SLICES, "jobs-*.slice");
    model_restart(model);
    expect_listed(model, 0, "c", CLASS_RULE_SLICES, "jobs-*.slice");
    model->options.settings.policy = NULL;
    model_configure(model);
    expect_listed(model, 0, "default", CLASS_RULE_DEFAULT, "");
    model_free(model);
}
