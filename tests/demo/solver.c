/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A numerical job: the steady state of heat on an N x N plate, one edge at 100 degrees, by the conjugate gradient
 * method. Each iteration creates its scratch vectors again, as array libraries do: from a leased workspace, or from
 * malloc. The result must not depend on where they lie, to the last bit. Usage: solver N workspace|malloc
 */
#include <math.h>
#include <membroker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITERATIONS_MAX = 2000 };

/* Where an iteration's scratch comes from. */
static mb_workspace *workspace; /* NULL: malloc */
static void *held[8];
static int held_count;

static int begin_iteration(void)
{
    return workspace ? mb_workspace_enter(workspace) : 0;
}

static double *scratch(size_t count)
{
    void *memory = workspace ? mb_workspace_alloc(workspace, count * sizeof(double)) : malloc(count * sizeof(double));
    if (!memory) {
        (void)fprintf(stderr, "solver: %s\n", workspace ? mb_last_error() : "out of memory");
        exit(1);
    }
    if (!workspace) {
        held[held_count++] = memory;
    }
    return memory;
}

static void end_iteration(void)
{
    if (workspace) {
        (void)mb_workspace_leave(workspace);
    }
    while (held_count) {
        free(held[--held_count]);
    }
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* y = A x, A the five-point Laplacian with fixed edges. */
static void apply(const double *x, double *y, size_t n)
{
    for (size_t row = 0; row < n; row++) {
        for (size_t column = 0; column < n; column++) {
            size_t at = row * n + column;
            double around = (row ? x[at - n] : 0) + (row + 1 < n ? x[at + n] : 0) + (column ? x[at - 1] : 0) +
                            (column + 1 < n ? x[at + 1] : 0);
            y[at] = 4 * x[at] - around;
        }
    }
}

/* One step; the vectors that outlive it are the caller's, the rest is scratch. Returns the new residual's square. */
static double iterate(size_t n, double *x, double *r, double *p, double rr)
{
    size_t count = n * n;
    double *ap = scratch(count);
    apply(p, ap, n);
    double alpha = rr / dot(p, ap, count);
    double *step = scratch(count);
    for (size_t i = 0; i < count; i++) {
        step[i] = alpha * p[i];
    }
    for (size_t i = 0; i < count; i++) {
        x[i] += step[i];
        r[i] -= alpha * ap[i];
    }
    double next = dot(r, r, count);
    double *direction = scratch(count);
    for (size_t i = 0; i < count; i++) {
        direction[i] = r[i] + next / rr * p[i];
    }
    memcpy(p, direction, count * sizeof *p);
    return next;
}

static int open_workspace(size_t n, mb_client **ret_client)
{
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    config.initial_size = 3 * (n * n * sizeof(double) + 16);
    config.allocation_policy = MB_ALLOCATION_STRICT;
    options.name = "solver";
    if (mb_connect(&options, ret_client) < 0 || mb_workspace_open(*ret_client, "cg scratch", &config, &workspace) < 0) {
        (void)fprintf(stderr, "solver: %s\n", mb_last_error());
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    mb_client *client = NULL;
    size_t n = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    if (n < 2 || n > 10000) {
        (void)fprintf(stderr, "usage: solver N workspace|malloc\n");
        return 2;
    }
    if (strcmp(argv[2], "workspace") == 0 && open_workspace(n, &client) < 0) {
        return 1;
    }
    size_t count = n * n;
    double *x = calloc(count, sizeof *x), *r = calloc(count, sizeof *r), *p = calloc(count, sizeof *p);
    if (!x || !r || !p) {
        return 1;
    }
    for (size_t column = 0; column < n; column++) {
        r[column] = p[column] = 100; /* the hot edge */
    }
    double start = dot(r, r, count), rr = start;
    int iterations = 0;
    while (iterations < ITERATIONS_MAX && rr > 1e-20 * start) {
        if (begin_iteration() < 0) {
            (void)fprintf(stderr, "solver: %s\n", mb_last_error());
            return 1;
        }
        rr = iterate(n, x, r, p, rr);
        end_iteration();
        iterations++;
    }
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += x[i];
    }
    printf("%zu unknowns, %d iterations, relative residual %.3e, mean temperature %.17g\n", count, iterations,
           sqrt(rr / start), sum / (double)count);
    mb_workspace_close(workspace);
    mb_disconnect(client);
    free(x);
    free(r);
    free(p);
    return 0;
}
