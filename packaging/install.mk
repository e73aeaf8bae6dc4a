# SPDX-License-Identifier: Apache-2.0
# `make install` and `make uninstall`, under $(DESTDIR). An administrator's configuration is never overwritten nor removed.

CONFIGURATION := $(DESTDIR)$(SYSCONFDIR)/membroker/membroker.conf
DOCUMENTS     := client/WORKSPACES.md client/BUFFERS.md client/BLOCKS.md proto/PROTOCOL.md proto/membroker.proto daemon/PROMISES.md daemon/SECURITY.md
PAGES         := $(wildcard packaging/man/*)
HEADERS       := $(wildcard client/include/membroker/*.h)
UNIT_PATHS     = sed 's|@SBINDIR@|$(SBINDIR)|;s|@BINDIR@|$(BINDIR)|;s|@LIBEXECDIR@|$(LIBEXECDIR)|'
page           = $(MANDIR)/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

# in the loader's standard directories, its cache must have the library
LDCONFIG      ?= ldconfig
REFRESH_LOADER = $(if $(DESTDIR),,$(if $(filter /usr/lib% /usr/local/lib% /lib%,$(LIBDIR)),$(LDCONFIG)))

MONITORING    := alerts.yml dashboard.json prometheus.yml

INSTALLED = $(SBINDIR)/membrokerd $(BINDIR)/membrokerctl $(BINDIR)/membroker-exporter \
            $(LIBDIR)/$(notdir $(SHARED)) $(LIBDIR)/$(SONAME) $(LIBDIR)/libmembroker.so $(LIBDIR)/libmembroker.a \
            $(LIBDIR)/pkgconfig/membroker.pc $(INCDIR)/membroker.h $(addprefix $(INCDIR)/membroker/,$(notdir $(HEADERS))) \
            $(addprefix $(UNITDIR)/,membroker.socket membroker.service membroker-exporter.socket membroker-exporter.service) \
            $(addprefix $(USERUNITDIR)/,membroker.socket membroker.service) \
            $(addprefix $(LIBEXECDIR)/,end-leases in-service on-socket) \
            $(addprefix $(DATADIR)/,named-files.conf spill-directory.conf apparmor-profile membroker.schema.json $(addprefix prometheus/,$(MONITORING))) \
            $(CATALOGDIR)/membroker.catalog $(addprefix $(SYSUSERSDIR)/,membroker.conf membroker-exporter.conf) $(COMPLETIONSDIR)/membrokerctl \
            $(foreach file,$(PAGES),$(call page,$(file))) $(addprefix $(DOCDIR)/,$(notdir $(DOCUMENTS)))
OWN_DIRECTORIES = $(INCDIR)/membroker $(LIBEXECDIR) $(DATADIR)/prometheus $(DATADIR) $(DOCDIR) $(SYSCONFDIR)/membroker/membroker.conf.d $(SYSCONFDIR)/membroker

install: all ## install to $(DESTDIR)$(PREFIX)
	install -D -m 755 $(DAEMON) $(DESTDIR)$(SBINDIR)/membrokerd
	install -D -m 755 $(CTL) $(DESTDIR)$(BINDIR)/membrokerctl
	install -D -m 755 $(EXPORTER) $(DESTDIR)$(BINDIR)/membroker-exporter
	install -D -m 644 $(SHARED) $(DESTDIR)$(LIBDIR)/$(notdir $(SHARED))
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libmembroker.so
	install -D -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)/libmembroker.a
	install -D -m 644 client/include/membroker.h $(DESTDIR)$(INCDIR)/membroker.h
	install -D -m 644 -t $(DESTDIR)$(INCDIR)/membroker $(HEADERS)
	install -D -m 644 $(BUILD)/membroker.pc $(DESTDIR)$(LIBDIR)/pkgconfig/membroker.pc
	install -d -m 755 $(CONFIGURATION).d
	@if [ ! -e $(CONFIGURATION) ] || cmp -s conf/membroker.conf $(CONFIGURATION); then \
	    rm -f $(CONFIGURATION).new; install -m 644 conf/membroker.conf $(CONFIGURATION); \
	else \
	    echo "$(CONFIGURATION) is kept as it is; the new one is beside it: $(CONFIGURATION).new"; \
	    install -m 644 conf/membroker.conf $(CONFIGURATION).new; fi
	install -d -m 755 $(DESTDIR)$(UNITDIR) $(DESTDIR)$(USERUNITDIR)
	install -m 644 packaging/systemd/membroker.socket $(DESTDIR)$(UNITDIR)/membroker.socket
	install -m 644 packaging/systemd/membroker.user.socket $(DESTDIR)$(USERUNITDIR)/membroker.socket
	$(UNIT_PATHS) packaging/systemd/membroker.service.in >$(DESTDIR)$(UNITDIR)/membroker.service
	install -m 644 packaging/systemd/membroker-exporter.socket $(DESTDIR)$(UNITDIR)/membroker-exporter.socket
	$(UNIT_PATHS) packaging/systemd/membroker-exporter.service.in >$(DESTDIR)$(UNITDIR)/membroker-exporter.service
	$(UNIT_PATHS) packaging/systemd/membroker.user.service.in >$(DESTDIR)$(USERUNITDIR)/membroker.service
	install -D -m 755 -t $(DESTDIR)$(LIBEXECDIR) $(addprefix packaging/systemd/,end-leases in-service on-socket)
	install -D -m 644 -t $(DESTDIR)$(DATADIR) packaging/systemd/named-files.conf packaging/systemd/spill-directory.conf client/ctl/membroker.schema.json
	install -D -m 644 packaging/systemd/membroker.catalog $(DESTDIR)$(CATALOGDIR)/membroker.catalog
	install -D -m 644 packaging/apparmor/membrokerd $(DESTDIR)$(DATADIR)/apparmor-profile
	install -D -m 644 packaging/systemd/membroker.sysusers $(DESTDIR)$(SYSUSERSDIR)/membroker.conf
	install -D -m 644 packaging/systemd/membroker-exporter.sysusers $(DESTDIR)$(SYSUSERSDIR)/membroker-exporter.conf
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/prometheus $(addprefix packaging/prometheus/,$(MONITORING))
	for page in $(PAGES); do install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done
	install -D -m 644 -t $(DESTDIR)$(DOCDIR) $(DOCUMENTS)
	install -D -m 644 packaging/completion/membrokerctl $(DESTDIR)$(COMPLETIONSDIR)/membrokerctl
	$(REFRESH_LOADER)

uninstall: ## remove what install put there, but a configuration that was edited
	rm -f $(addprefix $(DESTDIR),$(INSTALLED)) $(CONFIGURATION).new
	@if cmp -s conf/membroker.conf $(CONFIGURATION); then rm -f $(CONFIGURATION); \
	elif [ -e $(CONFIGURATION) ]; then echo "$(CONFIGURATION) is kept: it was edited"; fi
	for directory in $(OWN_DIRECTORIES); do \
	    [ ! -d $(DESTDIR)$$directory ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$$directory; done
	$(REFRESH_LOADER)
