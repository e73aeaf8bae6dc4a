# SPDX-License-Identifier: Apache-2.0
# Tests, checks and measurements. Each test program is one directory's files; all are run by `make test`.

TEST_WARNINGS := -Wno-missing-prototypes -Wno-strict-prototypes -Wno-null-dereference

UNIT_CORE_O   := $(call object,$(wildcard tests/unit/core/*.c))
UNIT_O        := $(call object,$(wildcard tests/unit/*.c))
UNIT_CTL_O    := $(call object,$(wildcard tests/unit/ctl/*.c))
INTEGRATION_O := $(call object,$(wildcard tests/integration/*.c))
SIMULATION_O  := $(call object,$(wildcard tests/simulation/*.c) tests/unit/core/board_model.c)
SOAK_O        := $(call object,$(wildcard tests/soak/*.c))
MODEL_O       := $(call object,$(wildcard tests/workspace-model/*.c))
ATTACKS_O     := $(call object,$(wildcard tests/attacks/*.c))
FAULTS_O      := $(call object,$(filter-out %/preload.c,$(wildcard tests/faults/*.c)))
$(UNIT_CORE_O) $(UNIT_O) $(UNIT_CTL_O) $(INTEGRATION_O) $(FAULTS_O) $(SOAK_O) $(MODEL_O) $(SIMULATION_O) $(ATTACKS_O): CFLAGS += $(TEST_WARNINGS)
$(UNIT_CORE_O) $(UNIT_O) $(UNIT_CTL_O) $(INTEGRATION_O) $(FAULTS_O) $(SOAK_O) $(MODEL_O) $(SIMULATION_O) $(ATTACKS_O) $(BUILD)/tests/cxx: | $(call need,test)

TEST_PROGRAMS := $(BUILD)/tests/unit-core $(BUILD)/tests/unit $(BUILD)/tests/unit-ctl $(BUILD)/tests/integration $(BUILD)/tests/competitor \
                 $(BUILD)/tests/honest $(BUILD)/tests/misbehave $(BUILD)/tests/soak $(BUILD)/tests/simulation \
                 $(BUILD)/tests/attacks $(BUILD)/tests/workspace-model $(BUILD)/tests/hand-over

# what the end-to-end tests start; coverage has it in the main build
FAULTS := $(if $(FAULT_FLAGS),,faults)

# the core's tests link the core alone: it needs nothing else
IN_UNIT_CORE := $(UNIT_CORE_O) $(CORE_O) $(BASE_O)
LINK_UNIT_CORE = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=reallocarray,--wrap=free -o $(1) $(IN_UNIT_CORE) -lcriterion

$(BUILD)/tests/unit-core: $(IN_UNIT_CORE)
	@mkdir -p $(@D)
	$(Q)$(call LINK_UNIT_CORE,$@)

IN_UNIT := $(UNIT_O) $(BUILD)/obj/daemon/runtime/service_clock.o $(BUILD)/obj/daemon/runtime/lanes.o $(BUILD)/obj/daemon/runtime/board_write.o $(BUILD)/obj/daemon/runtime/group_paths.o $(call object,$(wildcard daemon/runtime/table*.c)) $(BUILD)/obj/daemon/runtime/in_flight.o $(BUILD)/obj/client/workspace/cycle.o \
           $(BUILD)/obj/client/calls.o $(BUILD)/obj/client/waiter.o $(BUILD)/obj/client/clock.o \
           $(BUILD)/obj/client/buffer/size_class.o $(BUILD)/obj/client/lease_clear.o $(BUILD)/obj/client/buffer/depot.o $(BUILD)/obj/client/buffer/tag.o $(BUILD)/obj/daemon/core/policy.o $(BUILD)/obj/daemon/core/control_group.o $(BUILD)/obj/daemon/core/path_index.o $(METRICS_O) $(CONFIG_O) $(WORKER_O) $(OS_O) $(WIRE_O) $(BASE_O)
LINK_UNIT = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=write,--wrap=fsync,--wrap=rename -o $(1) $(IN_UNIT) -lcriterion $(DAEMON_LIBS)

$(BUILD)/tests/unit: $(IN_UNIT)
	@mkdir -p $(@D)
	$(Q)$(call LINK_UNIT,$@)

# all of membrokerctl but its main()
$(BUILD)/tests/unit-ctl: $(UNIT_CTL_O) $(filter-out %/main.o,$(CTL_O)) $(METRICS_O) $(CLIENT_O) $(WIRE_O) $(BASE_O)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcriterion $(CLIENT_LIBS) $(CTL_LIBS)

$(BUILD)/tests/integration: $(INTEGRATION_O) $(WIRE_O) $(BASE_O) $(SHARED) | $(FAULTS) $(BUILD)/demo/recovering
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -L$(BUILD) -lmembroker \
	    -Wl,-rpath,'$$ORIGIN/..' -lcriterion -ljansson -lprotobuf-c -lutf8proc -pthread

# the daemon's runtime in virtual time: the test decides what the kernel and the workers do
SIMULATED := peer_identity peer_identity_pidfd process_read_control_groups host_memory_read stock_init memfd_segment memfd_huge_page_bytes workers_fork workers_start \
             workers_do workers_give workers_are_idle workers_are_held_up workers_stuck workers_stop broker_step frozen_look survivors_look
comma := ,
$(BUILD)/tests/simulation: $(SIMULATION_O) $(RUNTIME_O) $(WORKER_O) $(CONFIG_O) $(OS_O) $(CORE_O) $(WIRE_O) $(BASE_O)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(SIMULATED)) -o $@ $^ -lcriterion $(DAEMON_LIBS)

# what a hostile user without privileges does to a real daemon
$(BUILD)/tests/attacks: $(ATTACKS_O) $(call object,tests/integration/fixture.c tests/integration/manager.c) $(WIRE_O) $(BASE_O) $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -L$(BUILD) -lmembroker \
	    -Wl,-rpath,'$$ORIGIN/..' -lcriterion -lprotobuf-c -lutf8proc -pthread

# every call of the daemon may be made to fail: by a library that is preloaded into it
$(BUILD)/tests/faults: $(FAULTS_O) $(call object,tests/integration/fixture.c tests/integration/manager.c) $(WIRE_O) $(BASE_O) \
                       $(SHARED) $(BUILD)/tests/preload.so | $(FAULTS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -L$(BUILD) -lmembroker \
	    -Wl,-rpath,'$$ORIGIN/..' -lcriterion -lprotobuf-c -lutf8proc -pthread

$(BUILD)/tests/soak: $(SOAK_O) $(call object,tests/faults/faults.c tests/integration/fixture.c tests/integration/manager.c) $(WIRE_O) \
                     $(BASE_O) $(SHARED) | $(FAULTS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -L$(BUILD) -lmembroker \
	    -Wl,-rpath,'$$ORIGIN/..' -lcriterion -lprotobuf-c -lutf8proc -pthread

# workspaces against a model of ND4J's rules
$(BUILD)/tests/workspace-model: $(MODEL_O) $(call object,tests/integration/fixture.c tests/integration/manager.c) $(WIRE_O) $(BASE_O) \
                                $(SHARED) | $(FAULTS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -L$(BUILD) -lmembroker \
	    -Wl,-rpath,'$$ORIGIN/..' -lcriterion -lprotobuf-c -lutf8proc -pthread

$(BUILD)/tests/preload.so: tests/faults/preload.c tests/faults/fault_control.h
	@mkdir -p $(@D)
	$(Q)$(CC) -I. $(ALL_CFLAGS) -fvisibility=default -fno-builtin -U_FORTIFY_SOURCE -shared -o $@ $< -ldl

$(BUILD)/tests/cxx: tests/cxx/header.cc client/include/membroker.h $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -Wall -Wextra -Werror -Iclient/include -o $@ $< -L$(BUILD) -lmembroker -Wl,-rpath,'$$ORIGIN/..'

$(BUILD)/tests/competitor: $(call object,tests/sharing/competitor.c) $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -L$(BUILD) -lmembroker -Wl,-rpath,'$$ORIGIN/..' -pthread

$(BUILD)/tests/load: $(call object,tests/top/load.c) $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -L$(BUILD) -lmembroker -Wl,-rpath,'$$ORIGIN/..' -pthread

# what looking costs the daemon, with 10,000 leases of 1,000 sessions
measure-looking: all $(BUILD)/tests/load ## the processor time that top, a scrape and the counting cost the daemon
	python3 tests/top/measure-cost $(BUILD)

$(BUILD)/tests/honest: $(call object,tests/swarm/honest.c) $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -L$(BUILD) -lmembroker -Wl,-rpath,'$$ORIGIN/..' -pthread

$(BUILD)/tests/misbehave: $(call object,tests/swarm/misbehave.c tests/swarm/harm.c tests/swarm/harm_sharing.c) $(WIRE_O) $(BASE_O)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lprotobuf-c -lutf8proc

# a daemon that tests can have killed at any point of its work, and that aborts if its loop sleeps with something due
faults: | $(SETUP)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/faults FAULT_FLAGS=-DMEMBROKER_FAULTS $(BUILD)/faults/membrokerd

test: all faults $(TEST_PROGRAMS) $(BUILD)/tests/cxx $(BUILD)/tests/faults java-tests python python-dist | $(call need,test) ## run every test
	sh tests/run-tests $(BUILD)

test-metrics: all | $(call need,test-metrics) ## metrics, their exporter, a real Prometheus that scrapes it, and bpftrace
	tests/metrics/check-metrics $(BUILD)
	tests/metrics/check-tracing $(BUILD)

# ---- the broker as a service of a real systemd, in a container ----
$(BUILD)/tests/system-client: tests/system/client.c $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -L$(BUILD) -lmembroker -Wl,-rpath,'$$ORIGIN/..'

test-system: all deb $(BUILD)/tests/system-client | $(call need,system) ## the broker under a real systemd, in a container (root)
	bash tests/system/run-system

test-vm: all faults $(BUILD)/tests/integration | $(call need,test-vm) ## published blocks on Debian's kernel, in a virtual machine
	bash tests/vm/check-blocks $(BUILD) || [ $$? = 77 ]

# ---- sanitizers: the same tests on instrumented builds; threads by a program of their own ----
# The stop of a thread in the middle of a protected range is what a SIGBUS test does; the sanitizer must let it through.
ASAN_ENV := ASAN_OPTIONS=handle_sigbus=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
            LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lint/lsan-suppressions:print_suppressions=0

sanitize: | $(call need,sanitize) $(call need,test) ## the tests under ASan and UBSan, the library's threads under TSan
	$(MAKE) BUILD=$(BUILD)/asan SANITIZE=address,undefined OPTIMIZE='-O1 -g' sanitized-tests
	$(MAKE) BUILD=$(BUILD)/tsan SANITIZE=thread OPTIMIZE='-O1 -g' CC=clang stress

# hours of competition show whether shares are fair, which other builds show sooner
sanitized-tests: faults $(DAEMON) $(CTL) $(TEST_PROGRAMS)
	$(ASAN_ENV) MEMBROKER_SIMULATIONS=20 MEMBROKER_COMPETITIONS=1 sh tests/run-tests $(BUILD)

$(BUILD)/tests/stress: $(call object,tests/stress/threads.c) $(CLIENT_O) $(WIRE_O) $(BASE_O)
$(BUILD)/tests/hand-over: $(call object,tests/stress/hand_over.c) $(CLIENT_O) $(WIRE_O) $(BASE_O)
$(BUILD)/tests/stress $(BUILD)/tests/hand-over:
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CLIENT_LIBS)

stress: $(BUILD)/tests/stress $(BUILD)/tests/hand-over $(DAEMON) ## many threads on one client
	sh tests/stress/run-stress $(BUILD)

# ---- coverage: without assertions, whose failing is no branch that a test could take ----
# No two threads run the core, so that its counters need not be atomic: its tests take a third of the time.
COVERAGE_FLAGS := OPTIMIZE='-O0 --coverage -fprofile-update=atomic -DNDEBUG -DMEMBROKER_COVERAGE' HARDENING=-fPIC CORE_FLAGS=-fprofile-update=single

coverage: | $(call need,coverage) $(call need,test) ## which lines and branches the tests take
	$(MAKE) BUILD=$(BUILD)/coverage $(COVERAGE_FLAGS) FAULT_FLAGS=-DMEMBROKER_FAULTS covered
	bash tests/coverage/run-coverage $(BUILD)/coverage 90 100

covered: all $(TEST_PROGRAMS) $(BUILD)/tests/faults
	@mkdir -p $(BUILD)/faults
	@ln -sf ../membrokerd $(BUILD)/faults/membrokerd

# ---- mutants: the code is broken, and a test must fail ----
MUTATION_SEED  ?= 1
MUTATION_COUNT ?= 300

mutate: export MUTATION_COMPILE = $(CC) $(CPPFLAGS) $(filter-out -W% -M% -g,$(ALL_CFLAGS)) -x c -c
mutate: export MUTATION_LINK_CORE = $(call LINK_UNIT_CORE,OUTPUT)
mutate: export MUTATION_LINK_PARTS = $(call LINK_UNIT,OUTPUT)
mutate: $(BUILD)/tests/unit-core $(BUILD)/tests/unit | $(call need,mutate) ## MUTATION_COUNT (300) mutants, drawn by MUTATION_SEED (1): 97 % must be killed
	python3 tests/mutation/mutate --seed $(MUTATION_SEED) --count $(MUTATION_COUNT) --work $(BUILD)/mutation $(MUTATION_ARGUMENTS)

# ---- the long ones ----
SOAK_SECONDS ?= 600

soak: all $(TEST_PROGRAMS) $(BUILD)/tests/faults | $(call need,mutate) ## every fault, 2,000 seeds, 1,000 mutants, SOAK_SECONDS (600) of random lives and of random workspaces under ASan, 1,000 misbehaving clients
	MEMBROKER_SIMULATIONS=2000 $(BUILD)/tests/unit-core --filter 'simulation/*'
	MEMBROKER_SIMULATIONS=2000 $(BUILD)/tests/simulation
	$(MAKE) BUILD=$(BUILD)/asan SANITIZE=address,undefined OPTIMIZE='-O1 -g' $(BUILD)/asan/membrokerd $(BUILD)/asan/tests/soak \
	    $(BUILD)/asan/tests/workspace-model
	MEMBROKER_SOAK_SECONDS=$(SOAK_SECONDS) $(ASAN_ENV) $(BUILD)/asan/tests/soak
	MEMBROKER_MODEL_SECONDS=$(SOAK_SECONDS) MEMBROKER_MODEL_SEED=$$(date +%s) $(ASAN_ENV) $(BUILD)/asan/tests/workspace-model
	MEMBROKER_SOAK_SECONDS=$(SOAK_SECONDS) MEMBROKER_SOAK_PRELOAD=1 $(BUILD)/tests/soak
	$(BUILD)/tests/faults -j3
	bash tests/swarm/check-swarm $(BUILD) 1000 120 5
	$(MAKE) mutate MUTATION_SEED=$$(date +%F) MUTATION_COUNT=1000

# ---- lint ----
OWN_C := $(shell git ls-files '*.c' 2>/dev/null || find daemon proto client tests -name '*.c')
OWN_H := $(shell git ls-files '*.h' 2>/dev/null || find daemon proto client tests -name '*.h')
PRODUCT_C := $(filter-out tests/%,$(OWN_C))

# gcc 12's analyzer loses ownership that is put into a structure or a list; ASan and LeakSanitizer see the same faults for real
ANALYZER_BLIND := -Wno-analyzer-malloc-leak -Wno-analyzer-double-free -Wno-analyzer-use-after-free

lint: all | $(call need,lint) $(call need,java) $(call need,python) $(call need,slurm) ## warnings of both compilers, format, types, clang-tidy, cppcheck, gcc -fanalyzer, hardening, layers, purity, prose
	sh tests/lint/check-sources
	tests/lint/check-prose
	clang-format --dry-run --Werror $(OWN_C) $(OWN_H)
	MYPYPATH=client/python $(PYTHON3) -m mypy --strict --cache-dir $(BUILD)/mypy client/python/membroker tests/python/typed_sample.py
	$(MAKE) BUILD=$(BUILD)/clang CC=clang all
	printf '%s\n' $(PRODUCT_C) | xargs -n 10 -P $(JOBS) tests/lint/tidy -std=gnu17 $(CPPFLAGS) $(JNI_INCLUDES) $(PYTHON_INCLUDE) --
	cppcheck --quiet -j $(JOBS) --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
	    --suppressions-list=tests/lint/cppcheck-suppressions -D_GNU_SOURCE -DMEMBROKER_VERSION='"0"' \
	    -DMEMBROKER_SYSCONFDIR='"/etc"' -DMEMBROKER_LIBEXECDIR='"/usr/libexec/membroker"' -I. -Iclient/include $(PRODUCT_C)
	$(MAKE) BUILD=$(BUILD)/analyzer OPTIMIZE='-O1 -fanalyzer $(ANALYZER_BLIND)' $(patsubst %.c,$(BUILD)/analyzer/obj/%.o,$(PRODUCT_C))
	sh tests/lint/check-hardening $(DAEMON) $(CTL) $(SHARED)
	tests/lint/check-layers $(BUILD)/obj daemon proto client
	tests/lint/check-picture daemon/README.md $(BUILD)/obj/daemon runtime core
	tests/lint/check-picture client/README.md $(BUILD)/obj/client . block buffer workspace
	$(MAKE) --no-print-directory compile_commands.json
	tests/lint/check-compile-commands compile_commands.json $(PRODUCT_C)
	sh tests/lint/check-purity $(CORE_O) $(BASE_O) $(BUILD)/obj/client/workspace/cycle.o

# ---- for developers' tools ----
define newline


endef
# one JSON object per source file, one per line
compile_command = {"directory": "$(CURDIR)", "file": "$(1)", "command": "$(subst ",\",$(CC) $(strip $(CPPFLAGS) $(if $(filter client/java/%,$(1)),$(JNI_INCLUDES)) $(if $(filter client/python/%,$(1)),$(PYTHON_INCLUDE)) $(ALL_CFLAGS) $(if $(filter tests/%,$(1)),$(TEST_WARNINGS))) -c -o $(call object,$(1)) $(1))"}

compile_commands.json: FORCE | $(GEN_C) ## the compiler's command for each source file, for clangd and editors
	$(file >$@.new,$(foreach file,$(OWN_C),$(call compile_command,$(file))$(newline)))
	@sed -e '/^ *$$/d;s/^ *//' $@.new | sed -e '1s/^/[/;$$!s/$$/,/;$$s/$$/]/' >$@ && rm $@.new

pre-commit: | $(call need,lint) $(call need,test) ## format, house rules and unit tests of what is staged
	sh tests/lint/pre-commit $(BUILD)

install-hooks: ## have git run `make pre-commit` before each commit
	sh tests/lint/install-hooks

# ---- demonstration and measurement ----
DEMO_PROGRAMS := $(patsubst tests/demo/%.c,$(BUILD)/demo/%,$(wildcard tests/demo/*.c))

$(BUILD)/demo/%: tests/demo/%.c $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< -L$(BUILD) -lmembroker -Wl,-rpath,'$$ORIGIN/..' -lm

demo: all java python $(DEMO_PROGRAMS) | $(call need,demo) ## start a broker of its own and show what it does
	@bash tests/demo/run-demo $(BUILD)

include tests/bench/bench.mk
include tests/fuzz/fuzz.mk

.PHONY: measure-looking pre-commit install-hooks mutate coverage covered soak test test-metrics test-system test-vm faults sanitize sanitized-tests stress lint demo bench
