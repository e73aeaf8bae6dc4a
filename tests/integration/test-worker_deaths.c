/* SPDX-License-Identifier: Apache-2.0 */
/* Worker processes that are killed in the middle of their work: what can be done again is, and the rest says so. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"
#include "tests/integration/worker_points.h"

TestSuite(worker_deaths, .timeout = 60);

enum { BYTES = 1 << 20 };

static struct fixture fixture;
static char files[] = "/tmp/membroker-named-XXXXXX";

static void start(void)
{
    char settings[128];
    worker_points_begin();
    cr_assert(mkdtemp(files));
    (void)snprintf(settings, sizeof settings, "[mapped]\nfiles = %s\n", files);
    fixture_start(&fixture, settings);
}

static void stop(void)
{
    fixture_stop(&fixture);
    worker_points_end();
    cr_expect(rmdir(files) == 0);
}

static int acquire(mb_client *client, mb_location location, const char *file)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    options.location = location;
    options.prefault = location == MB_LOCATION_RAM; /* by a worker */
    options.file = file;
    int result = mb_acquire(client, BYTES, &options, &lease);
    if (result == 0) {
        cr_expect_eq(mb_lease_bytes(lease), BYTES);
        mb_release(lease);
    }
    return result;
}

static void expect_made_by_the_next(mb_location location)
{
    start();
    mb_client *client = fixture_connect(&fixture, 0);
    worker_kill_at("make");
    cr_expect_eq(acquire(client, location, NULL), 0, "%s", mb_last_error());
    mb_disconnect(client);
    stop();
}

Test(worker_deaths, the_next_worker_creates_ram)
{
    expect_made_by_the_next(MB_LOCATION_RAM);
}

Test(worker_deaths, the_next_worker_creates_a_spill_file)
{
    expect_made_by_the_next(MB_LOCATION_MMAP);
}

/* It may be the request that kills them. */
Test(worker_deaths, a_second_death_is_reported)
{
    start();
    mb_client *client = fixture_connect(&fixture, 0);
    worker_kill_at("make");
    worker_kill_at("make-again");
    cr_expect_eq(acquire(client, MB_LOCATION_RAM, NULL), -EIO);
    cr_expect(strstr(mb_last_error(), "killed while it made 1 MiB"), "%s", mb_last_error());
    cr_expect_eq(fixture_status(&fixture).used_bytes, 0);
    cr_expect_eq(acquire(client, MB_LOCATION_RAM, NULL), 0, "the next request has its own two workers");
    mb_disconnect(client);
    stop();
}

Test(worker_deaths, a_named_file_is_not_created_again_and_can_be_requested_again)
{
    char path[128];
    start();
    (void)snprintf(path, sizeof path, "%s/mine", files);
    mb_client *client = fixture_connect(&fixture, 0);
    worker_kill_at("make");
    cr_expect_eq(acquire(client, MB_LOCATION_MMAP, "mine"), -EIO);
    cr_expect(strstr(mb_last_error(), "\"mine\""), "%s", mb_last_error());
    cr_expect_eq(acquire(client, MB_LOCATION_MMAP, "mine"), 0, "%s", mb_last_error());
    mb_disconnect(client);
    cr_expect(unlink(path) == 0);
    stop();
}

/* Were it not, the file would be granted as a new one. */
Test(worker_deaths, the_next_worker_measures_a_named_file)
{
    enum { LENGTH = 3 << 20 };
    char path[128];
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    start();
    (void)snprintf(path, sizeof path, "%s/mine", files);
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && ftruncate(fd, LENGTH) == 0);
    mb_client *client = fixture_connect(&fixture, 0);
    options.location = MB_LOCATION_MMAP;
    options.file = "mine";
    worker_kill_at("measure");
    cr_assert_eq(mb_acquire(client, BYTES, &options, &lease), 0, "%s", mb_last_error());
    cr_expect_eq(mb_lease_bytes(lease), LENGTH);
    mb_disconnect(client);
    cr_expect(unlink(path) == 0);
    stop();
}
