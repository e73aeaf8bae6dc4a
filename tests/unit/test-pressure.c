/* SPDX-License-Identifier: Apache-2.0 */
/* What a trigger tells counts only if the file's own total says so, too. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/os/pressure.h"

static int file;

static void set_up(void)
{
    char path[] = "/tmp/membroker-psi-XXXXXX";
    file = mkstemp(path);
    cr_assert(file >= 0 && unlink(path) == 0);
}

TestSuite(pressure_meter, .init = set_up);

static void write_totals(unsigned some, unsigned full)
{
    cr_assert(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
    cr_assert(dprintf(file,
                      "some avg10=0.00 avg60=0.00 avg300=0.00 total=%u\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
                      "total=%u\n",
                      some, full) > 0);
}

Test(pressure_meter, a_total_that_stands_still_is_no_pressure)
{
    struct pressure_meter meter = pressure_meter(PRESSURE_FULL, 10); /* 200 ms in two seconds */
    write_totals(5000000, 1000000);
    pressure_sample(&meter, file);
    write_totals(9000000, 1000396);
    cr_expect_not(pressure_is_confirmed(&meter, file), "others wait, but not all");
    write_totals(9000000, 1199999);
    cr_expect_not(pressure_is_confirmed(&meter, file));
    write_totals(9000000, 1200000);
    cr_expect(pressure_is_confirmed(&meter, file));
}

Test(pressure_meter, time_lost_long_ago_does_not_count)
{
    struct pressure_meter meter = pressure_meter(PRESSURE_SOME, 20);
    for (unsigned second = 0; second < 10; second++) {
        write_totals(second * 100000, 0); /* five per cent */
        cr_expect(second == 0 || !pressure_is_confirmed(&meter, file), "second %u", second);
        pressure_sample(&meter, file);
    }
    write_totals(700000 + 400000, 0); /* since the oldest sample, at 700 ms */
    cr_expect(pressure_is_confirmed(&meter, file));
}

Test(pressure_meter, a_notification_of_a_file_without_a_total_is_believed)
{
    struct pressure_meter meter = pressure_meter(PRESSURE_SOME, 20);
    pressure_sample(&meter, file);
    cr_expect(pressure_is_confirmed(&meter, file));
}
