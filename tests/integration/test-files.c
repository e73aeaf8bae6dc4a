/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped workspaces, and files that programs name themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/workspaces.h"

TestSuite(files, .timeout = 60);

Test(files, a_mapped_workspace_keeps_its_bytes_from_cycle_to_cycle_and_spills_to_files)
{
    begin("");
    mb_workspace_config config = default_config();
    config.location = MB_LOCATION_MMAP;
    config.initial_size = 10000;
    mb_workspace *workspace = open_named(client, "mapped", config);
    cr_expect_eq(mb_workspace_size(workspace), 10000);
    ENTER(workspace);
    memset(mb_workspace_alloc(workspace, 5000), 0x33, 5000);
    LEAVE(workspace);
    ENTER(workspace);
    cr_expect_eq(((char *)mb_workspace_alloc(workspace, 5000))[4999], 0x33);
    (void)ALLOC(workspace, 8000);
    cr_expect_eq(stats_of(workspace).spilled_count, 1);
    cr_expect_eq(fixture_status(&fixture).used_physical_bytes, 0, "a spill of a mapped workspace is a file too");
    LEAVE(workspace);
    cr_expect_eq(mb_workspace_size(workspace), 10000);
    cr_expect_eq(stats_of(workspace).location, MB_LOCATION_MMAP);
    end();
}

static char directory[64];

static void begin_with_files(void)
{
    char settings[128];
    strcpy(directory, "/tmp/membroker-files-XXXXXX");
    cr_assert(mkdtemp(directory));
    (void)snprintf(settings, sizeof settings, "[mapped]\nfiles = %s\n", directory);
    begin(settings);
}

static char *path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void end_with_files(void)
{
    end();
    cr_expect(rmdir(directory) == 0, "only what a program named stays, and the tests removed that");
}

static uint64_t length_of(const char *name)
{
    struct stat status;
    return stat(path_of(name), &status) == 0 ? (uint64_t)status.st_size : 0;
}

static mb_workspace *open_file(const char *workspace, const char *name, uint64_t size)
{
    mb_workspace_config config = default_config();
    config.location = MB_LOCATION_MMAP;
    config.file = name;
    config.initial_size = size;
    return open_named(client, workspace, config);
}

Test(files, a_named_file_keeps_its_bytes)
{
    begin_with_files();
    mb_workspace *workspace = open_file("first", "weights", 100000);
    cr_expect_eq(mb_workspace_size(workspace), 100000);
    cr_expect_eq(length_of("weights"), 100000, "exactly, and not whole pages");
    cr_expect_eq(used(), 102400, "the account has whole pages");
    ENTER(workspace);
    memset(mb_workspace_alloc(workspace, 100000), 0x44, 100000);
    LEAVE(workspace);
    mb_workspace_close(workspace);
    WAIT_UNTIL(used() == 0);
    cr_expect_eq(length_of("weights"), 100000, "the end of the lease leaves the file alone");
    workspace = open_file("again", "weights", 0);
    cr_expect_eq(mb_workspace_size(workspace), 100000, "an existing file sets the size");
    ENTER(workspace);
    cr_expect_eq(((char *)mb_workspace_alloc(workspace, 100000))[99999], 0x44);
    LEAVE(workspace);
    mb_workspace_close(workspace);
    workspace = open_file("longer", "weights", 50000);
    cr_expect_eq(mb_workspace_size(workspace), 100000, "also a smaller one that was asked for");
    mb_workspace_close(workspace);
    workspace = open_file("filled", "weights", 300000);
    cr_expect_eq(mb_workspace_size(workspace), 300000);
    cr_expect_eq(length_of("weights"), 300000);
    ENTER(workspace);
    char *data = mb_workspace_alloc(workspace, 300000);
    cr_expect(data[99999] == 0x44 && data[100000] == 0 && data[299999] == 0, "a shorter one is filled with zeros");
    LEAVE(workspace);
    mb_workspace_close(workspace);
    cr_expect(unlink(path_of("weights")) == 0);
    end_with_files();
}

static int open_file_error(const char *name, uint64_t size)
{
    mb_workspace_config config = default_config();
    mb_workspace *workspace;
    config.location = MB_LOCATION_MMAP;
    config.file = name;
    config.initial_size = size;
    return mb_workspace_open(client, "refused", &config, &workspace);
}

Test(files, a_file_belongs_to_the_user_and_has_one_lease)
{
    begin_with_files();
    mb_workspace *workspace = open_file("holder", "busy", 5000);
    cr_expect_eq(open_file_error("busy", 5000), -EBUSY);
    EXPECT_SENTENCE("has the file \"busy\"");
    mb_workspace_close(workspace);
    cr_expect_eq(open_file_error("new", 0), -EINVAL, "no size and no file");
    cr_expect_eq(open_file_error("../escape", 5000), -EINVAL);
    cr_expect_eq(open_file_error(".hidden", 5000), -EINVAL);
    cr_assert(symlink("/etc/passwd", path_of("link")) == 0);
    cr_expect_eq(open_file_error("link", 5000), -EINVAL, "symbolic links are not followed");
    cr_assert(mkdir(path_of("directory"), 0700) == 0);
    cr_expect_eq(open_file_error("directory", 5000), -EINVAL);
    char busy[128];
    strcpy(busy, path_of("busy"));
    cr_assert(link(busy, path_of("second")) == 0);
    WAIT_UNTIL(used() == 0);
    cr_expect_eq(open_file_error("second", 5000), -EINVAL);
    EXPECT_SENTENCE("other names");
    cr_assert(unlink(path_of("second")) == 0);
    if (getuid() == 0) {
        cr_assert(chown(busy, 12345, 12345) == 0);
        cr_expect_eq(open_file_error("busy", 5000), -EACCES, "another user's");
    }
    cr_expect_eq(used(), 0, "nothing half-done");
    cr_expect(length_of("new") == 0 && access(path_of("new"), F_OK) < 0);
    (void)unlink(path_of("link"));
    (void)rmdir(path_of("directory"));
    (void)unlink(busy);
    end_with_files();
}

Test(files, without_an_allowed_directory_no_file_can_be_named)
{
    begin("");
    cr_expect_eq(open_file_error("name", 5000), -EOPNOTSUPP);
    EXPECT_SENTENCE("[mapped] files");
    end();
}
