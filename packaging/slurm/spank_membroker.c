/* SPDX-License-Identifier: Apache-2.0 */
/* Slurm's side of a reservation. In sbatch, salloc and srun: the option --membroker. In slurmstepd: attaches the job's
 * control group to the reservation that the prolog made. All functions run in the one thread of the process. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <slurm/spank.h>

#include "proto/base/size.h"

/* How Slurm passes what submit() sets to the steps of salloc. */
#define SLURM_VARIABLE "SLURM_SPANK_MEMBROKER_BYTES"
#define EXPORTED       __attribute__((visibility("default")))

EXPORTED extern const char plugin_name[];
EXPORTED extern const char plugin_type[];
EXPORTED extern const unsigned int plugin_version, spank_plugin_version;
SPANK_PLUGIN(membroker, 1)

static const char default_helper[] = MEMBROKER_LIBEXECDIR "/slurm-job";

/* The digits, or empty. Slurm's own sizes differ (16GB is 16 x 10^9 there), so it sees only bytes. */
static char asked[24];
/* What submit() sent for the first component of a heterogeneous job. */
static char submitted[sizeof asked];
static bool is_submitted;
/* slurmstepd: whether the step has the option, and whether the helper found a reservation. */
static bool was_asked, is_reserved;
/* Why the tasks of this step fail, or empty. */
static char refusal[1024];

/* ---- sbatch, salloc, srun ---- */

static bool is_step(void)
{
    return spank_context() == S_CTX_LOCAL && getenv("SLURM_JOB_ID");
}

/* srun gets the option of its job again, from the environment. */
static int check_step(void)
{
    const char *of_job = getenv(SLURM_VARIABLE);
    of_job = of_job ? of_job : getenv("MEMBROKER_BYTES");
    if (!is_step() || (of_job && strcmp(of_job, asked) == 0)) {
        return 0;
    }
    slurm_error("--membroker is an option of jobs; steps have what their job has reserved (%s bytes)",
                of_job ? of_job : "0");
    return -1;
}

/* Digits and a unit, nothing before, between or behind. A number alone is none: --mem counts these in MiB. */
static bool has_unit(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    size_t unit = strspn(text + digits, "BKMGTIbkmgti");
    return digits > 0 && unit > 0 && !text[digits + unit];
}

static int take_size(int value, const char *text, int is_remote)
{
    uint64_t bytes;
    (void)value;
    if (is_remote) {
        was_asked = true;
        return 0;
    }
    if (!text || !has_unit(text) || size_from_text(text, 0, &bytes) < 0 || bytes == 0 || bytes > INT64_MAX) {
        slurm_error("--membroker=%s: a size is a whole number with a unit, B, K, M, G or T in powers of 1024, such as "
                    "16G; write 1536M, not 1.5G",
                    text ? text : "");
        return -1;
    }
    (void)snprintf(asked, sizeof asked, "%" PRIu64, bytes);
    if (is_submitted && strcmp(asked, submitted) != 0) {
        slurm_error("--membroker must be the same for all components of a heterogeneous job");
        return -1;
    }
    return check_step();
}

static struct spank_option option = {.name = (char[]){"membroker"},
                                     .arginfo = (char[]){"SIZE"},
                                     .usage = (char[]){"RAM that membroker reserves for the job on each node"},
                                     .has_arg = 1,
                                     .cb = take_size};

/* A job that a job submits has its own options only. */
static void forget_outer_job(void)
{
    (void)unsetenv(SLURM_VARIABLE);
    (void)unsetenv("MEMBROKER_BYTES");
    (void)unsetenv("MEMBROKER_RESERVATION");
    (void)unsetenv("_SLURM_SPANK_OPTION_membroker_membroker");
    (void)unsetenv("SLURM_SPANK__SLURM_SPANK_OPTION_membroker_membroker");
}

EXPORTED int slurm_spank_init(spank_t spank, int count, char **arguments)
{
    (void)count, (void)arguments;
    if (spank_context() == S_CTX_ALLOCATOR) {
        forget_outer_job();
    }
    return spank_option_register(spank, &option) == ESPANK_SUCCESS ? 0 : -1;
}

/* The variable reaches job_submit.lua, which schedules it, and the prolog, which reserves it. */
static int submit(spank_t spank)
{
    memcpy(submitted, asked, sizeof submitted);
    is_submitted = true;
    if (!*asked || is_step()) {
        return 0;
    }
    if (spank_job_control_setenv(spank, "MEMBROKER_BYTES", asked, 1) != ESPANK_SUCCESS) {
        slurm_error("--membroker: the size can't be passed to the job");
        return -1;
    }
    return 0;
}

/* ---- slurmstepd ---- */

static const char *helper_of(int count, char **arguments)
{
    static const char name[] = "helper=";
    for (int i = 0; i < count; i++) {
        if (strncmp(arguments[i], name, sizeof name - 1) == 0) {
            return arguments[i] + sizeof name - 1;
        }
    }
    return default_helper;
}

/* In the child. The job's environment is its user's, so root's helper does not get it. */
static void run_helper(const char *helper, const char *job, int output)
{
    char stepd[24];
    (void)snprintf(stepd, sizeof stepd, "%d", (int)getppid());
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(output, STDOUT_FILENO) >= 0) {
        (void)execl(helper, helper, "attach", job, stepd, (char *)NULL);
    }
    printf("refused=the helper %s can't be run: %s\n", helper, strerror(errno));
    (void)fflush(stdout);
    _exit(1);
}

/* A line of the helper: NAME=VALUE for the job's environment, or refused=WHY. */
static void take_line(spank_t spank, char *line)
{
    static const char refused[] = "refused=";
    line[strcspn(line, "\n")] = '\0';
    char *value = strchr(line, '=');
    if (strncmp(line, refused, sizeof refused - 1) == 0) {
        (void)snprintf(refusal, sizeof refusal, "%s", line + sizeof refused - 1);
    } else if (value) {
        *value++ = '\0';
        (void)spank_setenv(spank, line, value, 1);
        is_reserved = true;
    }
}

static void read_lines(spank_t spank, int from)
{
    char line[sizeof refusal];
    FILE *stream = fdopen(from, "r");
    if (!stream) {
        (void)close(from);
        return;
    }
    while (fgets(line, sizeof line, stream)) {
        take_line(spank, line);
    }
    (void)fclose(stream);
}

static void attach(spank_t spank, const char *helper, const char *job)
{
    int ends[2], status = -1;
    pid_t child = pipe(ends) == 0 ? fork() : -1;
    if (child < 0) {
        (void)snprintf(refusal, sizeof refusal, "the helper %s can't be run: %s", helper, strerror(errno));
        return;
    }
    if (child == 0) {
        run_helper(helper, job, ends[1]);
    }
    (void)close(ends[1]);
    read_lines(spank, ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0 && !*refusal) {
        (void)snprintf(refusal, sizeof refusal, "the helper %s failed; slurmd's log says why", helper);
    }
    if (was_asked && !is_reserved && !*refusal) {
        (void)snprintf(refusal, sizeof refusal, "no prolog reserved memory on this node; is `%s prolog` in slurm.conf?",
                       helper);
    }
}

/* A failure here would drain the node. It is kept until task_init, where it fails that task only. */
EXPORTED int slurm_spank_init_post_opt(spank_t spank, int count, char **arguments)
{
    char job[24];
    uint32_t id;
    if (!spank_remote(spank)) {
        return submit(spank);
    }
    if (spank_get_item(spank, S_JOB_ID, &id) == ESPANK_SUCCESS) {
        (void)snprintf(job, sizeof job, "%" PRIu32, id);
        attach(spank, helper_of(count, arguments), job);
    }
    return 0;
}

EXPORTED int slurm_spank_task_init(spank_t spank, int count, char **arguments)
{
    (void)spank, (void)count, (void)arguments;
    if (!*refusal) {
        return 0;
    }
    slurm_error("membroker: %s", refusal);
    return -1;
}
