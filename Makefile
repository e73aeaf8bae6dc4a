# SPDX-License-Identifier: Apache-2.0
# membroker: `make demo` shows it, `make test` tests it, both from nothing; `make help` lists the rest.

VERSION   := 0.1.0
SONAME    := libmembroker.so.0
BUILD     ?= build
PREFIX    ?= /usr/local
BINDIR    ?= $(PREFIX)/bin
SBINDIR   ?= $(PREFIX)/sbin
LIBDIR    ?= $(PREFIX)/lib
INCDIR    ?= $(PREFIX)/include
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/libexec/membroker
DATADIR   ?= $(PREFIX)/share/membroker
UNITDIR   ?= $(PREFIX)/lib/systemd/system
USERUNITDIR ?= $(PREFIX)/lib/systemd/user
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
MANDIR    ?= $(PREFIX)/share/man
CATALOGDIR ?= $(PREFIX)/lib/systemd/catalog
DOCDIR    ?= $(PREFIX)/share/doc/membroker
COMPLETIONSDIR ?= $(PREFIX)/share/bash-completion/completions
DESTDIR   ?=

CC        ?= cc
OPTIMIZE  ?= -O2 -g
SANITIZE  ?=
WARNINGS  := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
             -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla \
             -Wswitch-enum -Wnull-dereference $(if $(findstring clang,$(CC)),,-Wno-format-truncation) -Werror
HARDENING := $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIC
CPPFLAGS  += -D_GNU_SOURCE -DMEMBROKER_VERSION='"$(VERSION)"' -DMEMBROKER_SYSCONFDIR='"$(SYSCONFDIR)"' \
             -DMEMBROKER_LIBEXECDIR='"$(LIBEXECDIR)"' \
             -I. -Iclient/include -isystem $(BUILD)/gen $(FAULT_FLAGS)
ALL_CFLAGS = -std=gnu17 $(OPTIMIZE) $(WARNINGS) $(HARDENING) -fvisibility=hidden -MMD -MP \
             $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all) $(CFLAGS)
ALL_LDFLAGS = -Wl,-z,relro,-z,now $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)

.DEFAULT_GOAL := all

# all processors build; a make within a make shares them
JOBS := $(shell nproc)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

# `make V=1` shows the commands
ifeq ($(V),)
Q = @echo '  $(patsubst $(BUILD)/%,%,$@)';
endif

# `| $(call need,TARGET)` installs the packages that TARGET needs, once
need  = $(BUILD)/.setup-$(1)
SETUP := $(call need,build)

# ---- sources: one list a floor; an include never points up ----
BASE_SRC    := $(wildcard proto/base/*.c)
WIRE_SRC    := $(wildcard proto/*.c)
CORE_SRC    := $(wildcard daemon/core/*.c)
OS_SRC      := $(wildcard daemon/os/*.c)
CONFIG_SRC  := $(wildcard daemon/config/*.c)
WORKER_SRC  := $(wildcard daemon/worker/*.c)
RUNTIME_SRC := $(wildcard daemon/runtime/*.c)
CLIENT_SRC  := $(wildcard client/*.c client/workspace/*.c client/buffer/*.c client/block/*.c)
METRICS_SRC := $(wildcard client/metrics/*.c)
CTL_SRC     := $(wildcard client/ctl/*.c)
EXPORTER_SRC := $(wildcard client/exporter/*.c)

object = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
GEN_C  := $(BUILD)/gen/membroker.pb-c.c
GEN_O  := $(BUILD)/obj/gen/membroker.pb-c.o

BASE_O    := $(call object,$(BASE_SRC))
WIRE_O    := $(call object,$(WIRE_SRC)) $(GEN_O)
CORE_O    := $(call object,$(CORE_SRC))
$(CORE_O): CFLAGS += $(CORE_FLAGS)
OS_O      := $(call object,$(OS_SRC))
CONFIG_O  := $(call object,$(CONFIG_SRC))
WORKER_O  := $(call object,$(WORKER_SRC))
RUNTIME_O := $(call object,$(RUNTIME_SRC))
CLIENT_O  := $(call object,$(CLIENT_SRC))
METRICS_O := $(call object,$(METRICS_SRC))
CTL_O     := $(call object,$(CTL_SRC))
EXPORTER_O := $(call object,$(EXPORTER_SRC) client/ctl/monitor.c)

DAEMON_LIBS := -lresolv -lsystemd -lsubid -luv -lprotobuf-c -lutf8proc -lnuma
CLIENT_LIBS := -lprotobuf-c -lutf8proc -pthread
CTL_LIBS    := -ljansson -lsmartcols -lncursesw -ltinfo
EXPORTER_LIBS := -lmicrohttpd -lsystemd

DAEMON := $(BUILD)/membrokerd
CTL    := $(BUILD)/membrokerctl
EXPORTER := $(BUILD)/membroker-exporter
SHARED := $(BUILD)/libmembroker.so.$(VERSION)
STATIC := $(BUILD)/libmembroker.a

all: $(DAEMON) $(CTL) $(EXPORTER) $(SHARED) $(STATIC) $(BUILD)/membroker.pc ## build everything under build/

$(BUILD)/.setup-%: packaging/setup.sh
	@mkdir -p $(BUILD)
	sh packaging/setup.sh $*
	@touch $@

$(GEN_C): proto/membroker.proto | $(SETUP)
	@mkdir -p $(@D)
	protoc-c --proto_path=proto --c_out=$(@D) membroker.proto

$(GEN_O): $(GEN_C)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -W%,$(ALL_CFLAGS)) -c -o $@ $<

$(BUILD)/obj/%.o: %.c Makefile | $(GEN_C) $(SETUP)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(DAEMON): $(call object,daemon/main.c) $(RUNTIME_O) $(WORKER_O) $(CONFIG_O) $(OS_O) $(CORE_O) $(WIRE_O) $(BASE_O)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ $(DAEMON_LIBS)

$(CTL): $(CTL_O) $(METRICS_O) $(CLIENT_O) $(WIRE_O) $(BASE_O)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ $(CLIENT_LIBS) $(CTL_LIBS)

$(EXPORTER): $(EXPORTER_O) $(METRICS_O) $(CLIENT_O) $(WIRE_O) $(BASE_O)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ $(CLIENT_LIBS) $(EXPORTER_LIBS)

# nodelete: after dlclose() its background thread and its destructors of threads would run in unmapped code
$(SHARED): $(CLIENT_O) $(WIRE_O) $(BASE_O) client/membroker.map
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,-z,nodelete $(if $(SANITIZE),,-Wl,-z,defs) \
	    -Wl,--version-script=client/membroker.map -o $@ $(filter %.o,$^) $(CLIENT_LIBS)
	@ln -sf $(@F) $(BUILD)/$(SONAME)
	@ln -sf $(@F) $(BUILD)/libmembroker.so

# one object whose only global names are the public ones, so that a program that links it statically sees no others
$(STATIC): $(CLIENT_O) $(WIRE_O) $(BASE_O)
	$(Q)ld -r -o $(BUILD)/libmembroker.o $^
	@objcopy --localize-hidden --wildcard --keep-global-symbol='mb_*' $(BUILD)/libmembroker.o
	@rm -f $@ && $(AR) rcs $@ $(BUILD)/libmembroker.o

# always made anew: an install with another PREFIX than the build's must not find the old one
$(BUILD)/membroker.pc: packaging/membroker.pc.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|;s|@LIBDIR@|$(LIBDIR)|;s|@INCDIR@|$(INCDIR)|;s|@VERSION@|$(VERSION)|' $< > $@

include packaging/install.mk
include client/java/java.mk
include client/python/python.mk
include client/nd4j/nd4j.mk
include packaging/slurm/slurm.mk

# built in a copy of its own: Debian's tools want their directory at the top
DEB_VERSION ?= $(VERSION)
deb: | $(call need,deb) ## Debian packages under build/deb/
	rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb/membroker
	git ls-files -z | xargs -0 cp --parents -t $(BUILD)/deb/membroker
	mv $(BUILD)/deb/membroker/packaging/debian $(BUILD)/deb/membroker/debian
	sed 's/@VERSION@/$(DEB_VERSION)/;s/@DATE@/$(shell date -R -u -d @$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct)))/' \
	    $(BUILD)/deb/membroker/debian/changelog.in >$(BUILD)/deb/membroker/debian/changelog
	cd $(BUILD)/deb/membroker && env -u MAKEFLAGS -u MAKELEVEL -u BUILD dpkg-buildpackage -b -us -uc

clean: ## remove build/
	rm -rf $(BUILD)

setup: $(foreach target,build java python python-dist test-python test-java test-metrics demo test lint sanitize fuzz coverage mutate bench deb system slurm test-slurm,$(call need,$(target))) ## install what all targets need (apt-get); each does it by itself

help: ## this list
	@sed -n 's/^\([a-z0-9_.-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 30

include tests/tests.mk
# kept: a stamp is made by a pattern
.PRECIOUS: $(BUILD)/.setup-%

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

FORCE:

.PHONY: FORCE all install uninstall deb clean setup help
