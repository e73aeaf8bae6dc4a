/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the plugin as sbatch does, gives it the option --membroker=TEXT for each line of the input, and prints a line
 * for each: what it sends with the job, or "refused". Usage: plugin-size PLUGIN <TEXTS */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <slurm/spank.h>

static struct spank_option *option;
static char sent[64];

/* ---- what Slurm has for plugins ---- */

spank_context_t spank_context(void)
{
    return S_CTX_ALLOCATOR;
}

int spank_remote(spank_t spank)
{
    (void)spank;
    return 0;
}

spank_err_t spank_option_register(spank_t spank, struct spank_option *opt)
{
    (void)spank;
    option = opt;
    return ESPANK_SUCCESS;
}

spank_err_t spank_job_control_setenv(spank_t sp, const char *name, const char *value, int overwrite)
{
    (void)sp, (void)overwrite;
    (void)snprintf(sent, sizeof sent, "%s=%s", name, value);
    return ESPANK_SUCCESS;
}

spank_err_t spank_setenv(spank_t spank, const char *var, const char *val, int overwrite)
{
    (void)spank, (void)var, (void)val, (void)overwrite;
    return ESPANK_NOT_AVAIL;
}

spank_err_t spank_get_item(spank_t spank, spank_item_t item, ...)
{
    (void)spank, (void)item;
    return ESPANK_NOT_AVAIL;
}

void slurm_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

/* ---- the test ---- */

typedef int plugin_function(spank_t spank, int count, char **arguments);

/* In a process of its own, since one sbatch submits once. */
static void print_answer(plugin_function *submit, const char *text)
{
    pid_t child = fork();
    if (child != 0) {
        (void)waitpid(child, NULL, 0);
        return;
    }
    if (option->cb(option->val, text, 0) != 0 || submit(NULL, 0, NULL) != 0) {
        (void)puts("refused");
    } else {
        (void)puts(sent);
    }
    (void)fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    char text[256];
    void *plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    plugin_function *init = plugin ? (plugin_function *)dlsym(plugin, "slurm_spank_init") : NULL;
    plugin_function *submit = plugin ? (plugin_function *)dlsym(plugin, "slurm_spank_init_post_opt") : NULL;
    if (!init || !submit || init(NULL, 0, NULL) != 0 || !option) {
        (void)fprintf(stderr, "plugin-size: %s\n", dlerror());
        return 2;
    }
    while (fgets(text, sizeof text, stdin)) {
        text[strcspn(text, "\n")] = '\0';
        print_answer(submit, text);
    }
    return 0;
}
