/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sample of ND4J's documentation in C: a workspace "M2" of 1,000,000,000 bytes in a mapped file, and an array of
 * 10,000 floats made in it. Usage: seed
 */
#include <membroker.h>
#include <stdio.h>

int main(void)
{
    mb_client *client;
    mb_workspace *workspace;
    mb_workspace_config mmap = MB_WORKSPACE_CONFIG_INIT;
    mmap.initial_size = 1000000000;
    mmap.location = MB_LOCATION_MMAP;

    if (mb_connect(NULL, &client) < 0 || mb_workspace_open(client, "M2", &mmap, &workspace) < 0 ||
        mb_workspace_enter(workspace) < 0) {
        (void)fprintf(stderr, "seed: %s\n", mb_last_error());
        return 1;
    }
    float *x = mb_workspace_alloc(workspace, 10000 * sizeof *x);
    if (!x) {
        (void)fprintf(stderr, "seed: %s\n", mb_last_error());
        return 1;
    }
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        x[i] = (float)i;
        sum += (double)x[i];
    }
    printf("workspace \"M2\": %llu bytes in a file; array x: 10000 floats at offset 0, %llu bytes used, sum %.0f\n",
           (unsigned long long)mb_workspace_size(workspace), (unsigned long long)mb_workspace_offset(workspace), sum);
    (void)mb_workspace_leave(workspace);
    mb_workspace_close(workspace);
    mb_disconnect(client);
    return sum == 49995000.0 ? 0 : 1;
}
