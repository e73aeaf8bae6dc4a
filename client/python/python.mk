# SPDX-License-Identifier: Apache-2.0
# The Python package. Debian's Python builds it; the extension module works with every CPython from 3.9 on (abi3).

PYTHON3     := /usr/bin/python3
PYTHON_SRC  := $(wildcard client/python/src/*.c)
PYTHON_O    := $(call object,$(PYTHON_SRC))
PYTHON_DIR  := $(BUILD)/python
PYTHON_EXT  := $(PYTHON_DIR)/membroker/_native.abi3.so
PYTHON_PY   := $(wildcard client/python/membroker/*.py client/python/membroker/*.pyi client/python/membroker/*.cc) client/python/membroker/py.typed
PYTHON_COPY := $(patsubst client/python/membroker/%,$(PYTHON_DIR)/membroker/%,$(PYTHON_PY))
PYTHON_INCLUDE = -isystem $(shell $(PYTHON3) -c 'import sysconfig; print(sysconfig.get_path("include"))')

$(PYTHON_O): CPPFLAGS += $(PYTHON_INCLUDE)
$(PYTHON_O): | $(call need,python)

# the interpreter, which loads it, has the symbols of Python
$(PYTHON_EXT): $(PYTHON_O) $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -o $@ $(PYTHON_O) -L$(BUILD) -lmembroker -Wl,-rpath,'$$ORIGIN/../..' \
	    -pthread -ldl

$(PYTHON_DIR)/membroker/%: client/python/membroker/%
	@mkdir -p $(@D)
	@cp $< $@

python: $(PYTHON_EXT) $(PYTHON_COPY) ## the Python package under build/python/

# ---- as a distribution has it: the loader finds libmembroker ----
PYTHON_INSTALLED := $(PYTHON_DIR)/installed/_native.abi3.so
PYTHONDIR ?= $(PREFIX)/lib/python$(shell $(PYTHON3) -c 'import sys; print("%d.%d" % sys.version_info[:2])')/dist-packages
PYTHON_INFO = $(DESTDIR)$(PYTHONDIR)/membroker-$(VERSION).dist-info

$(PYTHON_INSTALLED): $(PYTHON_O) $(SHARED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -o $@ $(PYTHON_O) -L$(BUILD) -lmembroker -pthread -ldl

install-python: $(PYTHON_INSTALLED) $(PYTHON_COPY) ## install the Python package to $(DESTDIR)$(PREFIX)
	install -D -m 644 -t $(DESTDIR)$(PYTHONDIR)/membroker $(PYTHON_PY) $(PYTHON_INSTALLED)
	install -d -m 755 $(PYTHON_INFO)
	printf 'Metadata-Version: 2.1\nName: membroker\nVersion: $(VERSION)\nRequires-Python: >=3.9\n' >$(PYTHON_INFO)/METADATA

uninstall-python: ## remove what install-python put there
	rm -rf $(DESTDIR)$(PYTHONDIR)/membroker $(PYTHON_INFO)

# ---- as PyPI has it: the wheel is built from the sdist, so that the sdist is known to be whole ----
PYTHON_DIST   := $(PYTHON_DIR)/dist
PYTHON_SDIST  := $(PYTHON_DIST)/membroker-$(VERSION).tar.gz
PYTHON_STAGE  := $(PYTHON_DIR)/stage
PYTHON_FILES  := $(addprefix client/python/,README.md MANIFEST.in pyproject.toml setup.py) $(wildcard client/python/src/*.h \
                 client/python/examples/*.py) $(PYTHON_SRC) $(PYTHON_PY)
# the libmembroker of the build; a packager leaves it to pkg-config
PYTHON_FOUND   = MEMBROKER_CFLAGS='-I$(CURDIR)/client/include' \
                 MEMBROKER_LIBS='-L$(abspath $(BUILD)) -lmembroker -Wl,-rpath,$(abspath $(BUILD))'

$(PYTHON_SDIST): $(PYTHON_FILES) LICENSE client/python/python.mk | $(call need,python-dist)
	@rm -rf $(PYTHON_STAGE) && mkdir -p $(PYTHON_STAGE)
	@cd client/python && cp --parents -t $(abspath $(PYTHON_STAGE)) $(patsubst client/python/%,%,$(PYTHON_FILES))
	@cp LICENSE $(PYTHON_STAGE)
	$(Q)cd $(PYTHON_STAGE) && $(PYTHON3) -c 'from setuptools import build_meta; build_meta.build_sdist("../dist")' >../sdist.log

$(PYTHON_DIST)/built: $(PYTHON_SDIST) $(SHARED)
	@rm -f $(PYTHON_DIST)/*.whl
	$(Q)$(PYTHON_FOUND) $(PYTHON3) -m pip wheel --quiet --no-index --no-build-isolation --no-deps -w $(@D) $<
	@touch $@

python-dist: $(PYTHON_DIST)/built ## the Python package's sdist and wheel under build/python/dist/

# another NumPy than Debian's, and pyarrow: pip takes them from the index that it is configured for
NUMPY2 := $(BUILD)/numpy2

$(NUMPY2)/.installed: | $(call need,test-python)
	$(PYTHON3) -m venv $(NUMPY2)
	$(NUMPY2)/bin/python -m pip install -q 'numpy>=2,<3' pytest 'pyarrow>=17'
	@touch $@

test-python: all faults python python-dist $(NUMPY2)/.installed | $(call need,test-python) ## the Python package with PyTorch, SciPy and scikit-learn, and with NumPy 2 and pyarrow (PyPI)
	sh tests/python/check-libraries $(BUILD)
	PYTHON=$(NUMPY2)/bin/python sh tests/python/check-python $(BUILD) --deselect tests/python/test_hostile.py::test_under_valgrind

# ---- beside NumPy's own memory and shared memory ----
PYTHON_BENCH := $(PYTHON_DIR)/bench

$(PYTHON_BENCH)/ready: | $(call need,bench-python)
	$(PYTHON3) -m venv --system-site-packages $(PYTHON_BENCH)
	$(PYTHON_BENCH)/bin/python -m pip install --quiet 'pyperf>=2.6,<3'
	@touch $@

bench-python: python $(DAEMON) $(CTL) $(PYTHON_BENCH)/ready ## measure arrays and a training step in leased memory beside their own (pyperf from PyPI)
	sh tests/python/bench-python $(BUILD) $(PYTHON_BENCH)/bin/python

.PHONY: python python-dist bench-python install-python uninstall-python test-python
