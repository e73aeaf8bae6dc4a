// SPDX-License-Identifier: Apache-2.0
// PyTorch's allocator for the CPU. membroker.torch compiles it for the PyTorch that is installed; the memory comes from the
// extension module, whose functions are explained in client/python/src/tensors.h.
#include <c10/core/CPUAllocator.h>
#include <cerrno>
#include <cstring>
#include <torch/csrc/Exceptions.h>
#include <torch/version.h>

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 3)
#define CONST_BEFORE_2_3
#else
#define CONST_BEFORE_2_3 const
#endif

namespace {

struct Functions {
    int (*is_active)();
    void *(*allocate)(size_t bytes);
    int (*release)(void *data);
    const char *(*refusal)(int *code);
    PyObject *limit_error, *other_error; // the classes of exceptions
};

Functions functions;
c10::Allocator *original;

struct Refused final : torch::PyTorchError {
    bool is_limit;

    Refused(const char *sentence, bool is_limit) : torch::PyTorchError(sentence), is_limit(is_limit) {}

    PyObject *python_type() override { return is_limit ? functions.limit_error : functions.other_error; }
};

// oneDNN may return through one allocator what it got from another, so the memory itself says whose it is.
void release(void *data)
{
    if (!data) {
        return;
    }
    c10::profiledCPUMemoryReporter().Delete(data);
    if (!functions.release(data)) {
        original->raw_deallocate(data);
    }
}

struct LeasedAllocator final : c10::Allocator {
    c10::DataPtr allocate(size_t bytes) CONST_BEFORE_2_3 override
    {
        if (!functions.is_active()) {
            return original->allocate(bytes);
        }
        void *data = bytes > 0 ? functions.allocate(bytes) : nullptr;
        if (!data && bytes > 0) {
            int code = 0;
            const char *sentence = functions.refusal(&code);
            throw Refused(sentence, code == ENOMEM || code == ENOSPC);
        }
        if (data) {
            c10::profiledCPUMemoryReporter().New(data, bytes);
        }
        return {data, data, release, c10::Device(c10::DeviceType::CPU)};
    }

    c10::DeleterFnPtr raw_deleter() const override { return release; }

    // Virtual from PyTorch 2.3 on.
    void copy_data(void *to, const void *from, std::size_t bytes) const { std::memcpy(to, from, bytes); }
};

} // namespace

// The allocator lives for ever: PyTorch does not own it, and tensors refer to it.
extern "C" void membroker_set_allocator(const Functions *given)
{
    static LeasedAllocator allocator;
    functions = *given;
    if (!original) {
        original = c10::GetCPUAllocator();
        c10::SetCPUAllocator(&allocator);
    }
}
