# SPDX-License-Identifier: Apache-2.0
# `make slurm`: the SPANK plugin; `make test-slurm`: two nodes of a cluster on this machine.

SLURM_DIR := packaging/slurm
SPANK_O   := $(call object,$(wildcard $(SLURM_DIR)/*.c))
SPANK     := $(BUILD)/slurm/spank_membroker.so
$(SPANK_O): | $(call need,slurm)

# slurmd, slurmstepd and the commands have the functions of spank.h themselves
$(SPANK): $(SPANK_O) $(BUILD)/obj/proto/base/size.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -o $@ $(filter %.o,$^)

slurm: $(SPANK) ## the SPANK plugin for Slurm, under build/slurm/

# where Slurm looks for plugins, and for its configuration
SLURM_LIBDIR  ?= $(firstword $(wildcard /usr/lib/*/slurm-wlm) $(LIBDIR)/slurm-wlm)
SLURM_ETC      = $(DESTDIR)$(SYSCONFDIR)/slurm
SLURM_DROP_IN  = $(DESTDIR)$(UNITDIR)/slurmd.service.d
SLURM_JOB      = $(LIBEXECDIR)/slurm-job
SLURM_HOOKS    = $(SLURM_ETC)/prolog.d/50-membroker $(SLURM_ETC)/epilog.d/50-membroker

# The plugin's line is a link, and the hooks look for the helper, because a package that is removed leaves the files of /etc
# behind: without the plugin or the helper no job could begin.
install-slurm: slurm ## install the plugin, the helper and their configuration for Slurm, but slurm.conf
	install -D -m 644 $(SPANK) $(DESTDIR)$(SLURM_LIBDIR)/spank_membroker.so
	install -D -m 755 $(SLURM_DIR)/slurm-job $(DESTDIR)$(LIBEXECDIR)/slurm-job
	install -D -m 644 $(SLURM_DIR)/job_submit.lua $(DESTDIR)$(DATADIR)/job_submit.lua
	install -d -m 755 $(SLURM_ETC)/plugstack.conf.d $(SLURM_ETC)/prolog.d $(SLURM_ETC)/epilog.d $(SLURM_DROP_IN)
	echo 'required spank_membroker.so helper=$(LIBEXECDIR)/slurm-job' >$(DESTDIR)$(DATADIR)/plugstack.conf
	ln -sf $(DATADIR)/plugstack.conf $(SLURM_ETC)/plugstack.conf.d/membroker.conf
	for hook in prolog epilog; do \
	    printf '#!/bin/sh\n[ ! -x %s ] || exec %s %s\n' $(SLURM_JOB) $(SLURM_JOB) $$hook >$(SLURM_ETC)/$$hook.d/50-membroker; done
	chmod 755 $(SLURM_HOOKS)
	sed 's|@LIBEXECDIR@|$(LIBEXECDIR)|' $(SLURM_DIR)/slurmd.service.conf.in >$(SLURM_DROP_IN)/membroker.conf

uninstall-slurm: ## remove what install-slurm put there
	rm -f $(DESTDIR)$(SLURM_LIBDIR)/spank_membroker.so $(DESTDIR)$(LIBEXECDIR)/slurm-job $(addprefix $(DESTDIR)$(DATADIR)/,job_submit.lua plugstack.conf) \
	    $(SLURM_ETC)/plugstack.conf.d/membroker.conf $(SLURM_HOOKS) $(SLURM_DROP_IN)/membroker.conf

$(BUILD)/slurm/keep: tests/slurm/keep.c $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -L$(BUILD) -lmembroker -Wl,-rpath,'$$ORIGIN/..'

$(BUILD)/slurm/forge.so: tests/slurm/forge.c | $(call need,slurm)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -o $@ $<

# it has the functions of spank.h for the plugin
$(BUILD)/slurm/plugin-size: tests/slurm/plugin-size.c | $(call need,slurm)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fvisibility=default $(ALL_LDFLAGS) -rdynamic -o $@ $<

test-slurm: all slurm $(addprefix $(BUILD)/slurm/,keep forge.so plugin-size) | $(call need,test-slurm) ## jobs of Slurm clusters of two nodes on this machine (root)
	lua5.4 tests/slurm/test-submit.lua $(SLURM_DIR)/job_submit.lua tests/slurm/sizes $(BUILD)/slurm/plugin-size $(SPANK)
	bash tests/slurm/run-slurm $(BUILD)

.PHONY: slurm install-slurm uninstall-slurm test-slurm
