/* SPDX-License-Identifier: Apache-2.0 */
/* The table of small sizes. */
#include "client/buffer/size_class.h"

const uint16_t size_class_bytes[SIZE_CLASSES] = {
    16,   32,   48,   64,   128,  192,  256,  320,  384,  448,   512,   640,   768,   896,   1024,  1280,  1536,  1792,
    2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192, 10240, 12288, 14336, 16384, 20480, 24576, 28672, 32768,
};
