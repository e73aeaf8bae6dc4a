# SPDX-License-Identifier: Apache-2.0
# Tests, checks and measurements. Each test program is one directory's files; all are run by `make test`.

TEST_FLAGS := -Wno-missing-prototypes -Wno-strict-prototypes
TEST_RUN   ?=

UNIT_CORE_O   := $(call object,$(wildcard tests/unit/core/*.c))
UNIT_O        := $(call object,$(wildcard tests/unit/*.c))
INTEGRATION_O := $(call object,$(wildcard tests/integration/*.c))
$(UNIT_CORE_O) $(UNIT_O) $(INTEGRATION_O): CFLAGS += $(TEST_FLAGS)

# the core's tests link the core alone: it needs nothing else
$(BUILD)/tests/unit-core: $(UNIT_CORE_O) $(CORE_O) $(BASE_O)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcriterion

$(BUILD)/tests/unit: $(UNIT_O) $(BUILD)/obj/daemon/runtime/service_clock.o $(CONFIG_O) $(OS_O) $(WIRE_O) $(BASE_O)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcriterion $(DAEMON_LIBS)

$(BUILD)/tests/integration: $(INTEGRATION_O) $(WIRE_O) $(BASE_O) $(SHARED)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -L$(BUILD) -lmembroker \
	    -Wl,-rpath,'$$ORIGIN/..' -lcriterion -ljansson -lprotobuf-c -pthread

-include tests/bench/bench.mk
