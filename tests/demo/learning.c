/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workspace that learns: matrices are multiplied in cycles whose temporaries are scratch, the first cycle spills, the
 * others move a pointer. The result outlives its cycle in a tracked buffer. Usage: learning
 */
#include <errno.h>
#include <membroker.h>
#include <stdio.h>

enum { CYCLES = 200, LARGEST = 96 };

static void multiply(const double *a, const double *b, double *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t k = 0; k < n; k++) {
                sum += a[i * n + k] * b[k * n + j];
            }
            c[i * n + j] = sum;
        }
    }
}

static double *matrix(size_t n, double diagonal)
{
    double *m = mb_alloc(n * n * sizeof *m);
    for (size_t i = 0; m && i < n * n; i++) {
        m[i] = i % (n + 1) == 0 ? diagonal : 0;
    }
    return m;
}

/* The product of two diagonal matrices in a cycle of the workspace; copied out of it. 0 or negative errno. */
static int one_cycle(mb_workspace *workspace, size_t n, mb_buffer **ret_result)
{
    MB_WORKSPACE(workspace, return -errno) {
        double *a = matrix(n, 2), *b = matrix(n, 3), *c = matrix(n, 0);
        if (!a || !b || !c) {
            return -errno;
        }
        multiply(a, b, c, n);
        if (mb_workspace_check(workspace) < 0) {
            return -errno;
        }
        mb_ref ref = mb_workspace_ref(workspace, c, n * n * sizeof *c);
        return mb_buffer_detach(&ref, ret_result);
    }
    return 0;
}

int main(void)
{
    mb_client *client;
    mb_workspace *workspace;
    double sum = 0;
    if (mb_connect(NULL, &client) < 0 || mb_workspace_open(client, "products", NULL, &workspace) < 0) {
        (void)fprintf(stderr, "learning: %s\n", mb_last_error());
        return 1;
    }
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        size_t n = (size_t)(LARGEST - cycle % 7);
        MB_AUTO_BUFFER mb_buffer *product = NULL;
        if (one_cycle(workspace, n, &product) < 0) {
            (void)fprintf(stderr, "learning: %s\n", mb_last_error());
            return 1;
        }
        const double *values = mb_buffer_data(product);
        sum += values[0] + values[n * n - 1];
    }
    mb_workspace_print_stats(stdout);
    printf("%d products, sum of their corners %.0f (12 each)\n", CYCLES, sum);
    mb_workspace_close(workspace);
    mb_disconnect(client);
    return sum == 12.0 * CYCLES ? 0 : 1;
}
