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

test-slurm: all slurm | $(call need,test-slurm) ## jobs of a Slurm cluster of two nodes on this machine (root)
	lua5.4 tests/slurm/test-submit.lua packaging/slurm/job_submit.lua
	bash tests/slurm/run-slurm $(BUILD)

.PHONY: slurm test-slurm
