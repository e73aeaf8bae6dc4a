# SPDX-License-Identifier: Apache-2.0
# `make fuzz`: libFuzzer on what reads bytes of others, each for FUZZ_SECONDS, from the corpus in the tree and from seeds that
# the code itself writes. Findings go to build/fuzz/findings.

FUZZ_SECONDS ?= 60
FUZZERS      := frame core config table connections metadata
FUZZ_BUILD   := $(BUILD)/fuzz

fuzz: | $(call need,fuzz) ## libFuzzer on frames, the core, the configuration, the restart table, whole connections and the metadata of blocks, FUZZ_SECONDS (60) each
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) CC=clang SANITIZE=address,undefined,fuzzer-no-link OPTIMIZE='-O1 -g' fuzzers
	bash tests/fuzz/run-fuzz $(FUZZ_BUILD) $(FUZZ_SECONDS) $(FUZZERS)

fuzzers: $(addprefix $(BUILD)/fuzz_,$(FUZZERS)) $(BUILD)/make_seeds

FUZZ_LINK = @mkdir -p $(@D); $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(DAEMON_LIBS)

# the model of the shell that the core's tests have
FUZZ_MODEL := $(addprefix $(BUILD)/obj/tests/fuzz/,shell_model.o shell_view.o shell_restart.o board_model.o)

$(FUZZ_MODEL): $(BUILD)/obj/tests/fuzz/%.o: tests/unit/core/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -Itests/fuzz/shim $(CPPFLAGS) $(ALL_CFLAGS) -Wno-gnu-zero-variadic-macro-arguments -c -o $@ $<

$(addprefix $(BUILD)/obj/tests/fuzz/,fuzz_core.o fuzz_limits.o fuzz_reservations.o): CPPFLAGS := -Itests/fuzz/shim $(CPPFLAGS)

$(BUILD)/fuzz_frame: $(call object,tests/fuzz/fuzz_frame.c) $(WIRE_O) $(BASE_O)
	$(FUZZ_LINK)
$(BUILD)/fuzz_core: ALL_LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=reallocarray,--wrap=free
$(BUILD)/fuzz_core: $(call object,tests/fuzz/fuzz_core.c tests/fuzz/fuzz_limits.c tests/fuzz/fuzz_reservations.c tests/unit/core/exhaustion.c) \
                    $(FUZZ_MODEL) $(CORE_O) $(BASE_O)
	$(FUZZ_LINK)
$(BUILD)/fuzz_config: $(call object,tests/fuzz/fuzz_config.c proto/name.c) $(CONFIG_O) $(OS_O) $(CORE_O) $(BASE_O)
	$(FUZZ_LINK)
$(BUILD)/fuzz_table: $(call object,tests/fuzz/fuzz_table.c $(wildcard daemon/runtime/table*.c)) $(CORE_O) $(BASE_O)
	$(FUZZ_LINK)

$(BUILD)/fuzz_metadata: $(call object,tests/fuzz/fuzz_metadata.c client/block/description.c)
	$(FUZZ_LINK)

$(BUILD)/fuzz_connections: ALL_LDFLAGS += -Wl,--wrap=exit
$(BUILD)/fuzz_connections: $(call object,tests/fuzz/fuzz_connections.c) $(RUNTIME_O) $(WORKER_O) $(CONFIG_O) $(OS_O) $(CORE_O) $(WIRE_O) $(BASE_O)
	$(FUZZ_LINK)

# writes seeds: a program of its own, without a fuzzer's main()
$(BUILD)/make_seeds: $(call object,tests/fuzz/make_seeds.c $(wildcard daemon/runtime/table*.c)) $(WIRE_O) $(BASE_O)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -lprotobuf-c -lutf8proc

.PHONY: fuzz fuzzers
