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

.PHONY: python
