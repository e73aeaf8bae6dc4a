/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that a user loads with a slurm.conf of their own (SLURM_CONF): sends variables for prologs as they are. */
#include <stdlib.h>

#include <slurm/spank.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED extern const char plugin_name[];
EXPORTED extern const char plugin_type[];
EXPORTED extern const unsigned int plugin_version, spank_plugin_version;
SPANK_PLUGIN(forge, 1)

EXPORTED int slurm_spank_init_post_opt(spank_t spank, int count, char **arguments)
{
    const char *name = getenv("FORGED_NAME"), *value = getenv("FORGED_VALUE");
    (void)count, (void)arguments;
    if (!spank_remote(spank) && name && value) {
        (void)spank_job_control_setenv(spank, name, value, 1);
    }
    return 0;
}
