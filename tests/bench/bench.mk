# SPDX-License-Identifier: Apache-2.0
# `make bench`: our programs beside what a user would take instead, built with the same flags. Ours link the
# shared library as a user's would.

BENCH_DIR    := $(BUILD)/bench
BENCH_KERNEL := scratch_malloc buffers_malloc heap_malloc scratch_bump scratch_bump_called kernel_round_trip kernel_first_touch kernel_session kernel_throughput kernel_attach shm_attach objects_table objects_floor
BENCH_BROKER := workspace_threads heap_tracked scratch_workspace scratch_workspace_called buffers_tracked broker_round_trip broker_first_touch reuse latency broker_session broker_throughput broker_attach broker_wake
BENCH_PROGRAMS := $(addprefix $(BENCH_DIR)/,$(BENCH_KERNEL) $(BENCH_BROKER))
BENCH_COMMON := $(call object,tests/bench/measure.c tests/bench/process.c)
BENCH_RUNS   ?= 7

.SECONDARY: $(call object,$(wildcard tests/bench/*.c)) $(patsubst %,$(BUILD)/obj/tests/bench/scratch_%_called.o,bump workspace)

# the same with calls instead of code in the loop, on both sides
$(BUILD)/obj/tests/bench/%_called.o: tests/bench/%.c Makefile | $(GEN_C) $(SETUP)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -DSCRATCH_CALLED $(ALL_CFLAGS) -c -o $@ $<
$(call object,$(wildcard tests/bench/*.c)): | $(call need,bench)

# the same loads on our buffers and on malloc()
$(BUILD)/obj/tests/bench/heap_tracked.o: CPPFLAGS += -DHEAP_TRACKED
$(BUILD)/obj/tests/bench/heap_tracked.o $(BUILD)/obj/tests/bench/heap_malloc.o: tests/bench/heap_loads.c Makefile | $(GEN_C) $(SETUP) $(call need,bench)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(addprefix $(BENCH_DIR)/,$(BENCH_KERNEL)): $(BENCH_DIR)/%: $(BUILD)/obj/tests/bench/%.o $(BENCH_COMMON)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lm

$(addprefix $(BENCH_DIR)/,$(BENCH_BROKER)): $(BENCH_DIR)/%: $(BUILD)/obj/tests/bench/%.o $(BENCH_COMMON) $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $(filter %.o,$^) \
	    -L$(BUILD) -lmembroker -Wl,-rpath,$(abspath $(BUILD)) -lm $(BENCH_LIBS)

$(addprefix $(BENCH_DIR)/,kernel_session kernel_throughput): $(BUILD)/obj/tests/bench/kernel_lender.o
$(addprefix $(BENCH_DIR)/,kernel_round_trip kernel_session kernel_throughput kernel_attach broker_wake): $(BUILD)/obj/tests/bench/packet.o
$(addprefix $(BENCH_DIR)/,kernel_attach shm_attach broker_attach broker_wake): $(BUILD)/obj/tests/bench/attach.o
$(addprefix $(BENCH_DIR)/,broker_attach broker_wake): $(BUILD)/obj/tests/bench/publication.o
$(addprefix $(BENCH_DIR)/,objects_board objects_table objects_floor): $(BUILD)/obj/tests/bench/objects.o
$(BENCH_DIR)/broker_wake: $(BUILD)/obj/tests/bench/floor.o
$(addprefix $(BENCH_DIR)/,kernel_throughput broker_throughput): $(BUILD)/obj/tests/bench/throughput.o
$(BENCH_DIR)/latency: BENCH_LIBS := -lgsl -lgslcblas -pthread

# these ask for status as membrokerctl does, or speak the protocol themselves, which the public library has no call for
BENCH_STATIC := $(addprefix $(BENCH_DIR)/,status_while_freeing large_lease first_use pool_round_trip objects_board scale)
$(BENCH_STATIC): $(BENCH_DIR)/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/obj/client/ctl/monitor.o \
                                   $(BUILD)/obj/tests/bench/pool_status.o \
                                   $(BENCH_COMMON) $(CLIENT_O) $(WIRE_O) $(BASE_O)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ $(CLIENT_LIBS) -lm

# the core alone, with a shell that is a list
$(BENCH_DIR)/core_scale: $(BUILD)/obj/tests/bench/core_scale.o $(BENCH_COMMON) $(CORE_O) $(BASE_O)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lm

$(BENCH_DIR)/python_attach: tests/bench/python_attach python
	@mkdir -p $(@D)
	$(Q)cp $< $@

bench: $(BUILD)/tests/integration $(DAEMON) $(SHARED) $(BENCH_PROGRAMS) $(BENCH_STATIC) $(BENCH_DIR)/core_scale $(BENCH_DIR)/python_attach | $(call need,bench) ## measure beside malloc, a bare bump pointer and the kernel; build/RESULTS.md, build/bench.json
	python3 tests/bench/run-bench --build $(BUILD) --runs $(BENCH_RUNS) $(addprefix --only ,$(BENCH_ONLY))

SCALE_LEASES ?= 100000
bench-scale: all $(BENCH_DIR)/scale ## SCALE_LEASES (100,000) leases of a real broker, in a virtual machine
	bash tests/bench/scale-in-vm $(BUILD) $(SCALE_LEASES)

.PHONY: bench bench-scale
