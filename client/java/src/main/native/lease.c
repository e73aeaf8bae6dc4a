/* SPDX-License-Identifier: Apache-2.0 */
/* io.membroker.NativeLease. */
#include "client/java/src/main/native/shim.h"

enum { LOCATION, TTL, HUGE_PAGES, NUMA_NODE, PREFAULT, WAIT, INTERLEAVE, FLAGS, SETTINGS };

static jlong acquire(JNIEnv *env, jclass class, jlong handle, jlong bytes, jbyteArray name, jbyteArray file,
                     jintArray settings)
{
    (void)class;
    char name_room[SHIM_NAME_BYTES], file_room[SHIM_PATH_BYTES];
    jint setting[SETTINGS];
    (*env)->GetIntArrayRegion(env, settings, 0, SETTINGS, setting);
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.name = text_copy(env, name, name_room, sizeof name_room);
    options.file = text_copy(env, file, file_room, sizeof file_room);
    options.location = (mb_location)setting[LOCATION];
    options.ttl_ms = (uint32_t)setting[TTL];
    options.huge_pages = (mb_huge_pages)setting[HUGE_PAGES];
    options.numa_node = setting[NUMA_NODE];
    options.prefault = setting[PREFAULT];
    options.wait_ms = (uint32_t)setting[WAIT];
    options.interleave = setting[INTERLEAVE];
    options.flags = (unsigned)setting[FLAGS];
    mb_lease *lease = NULL;
    interrupt_watch();
    (void)failure_check(env, mb_acquire(connection_of(handle)->client, (uint64_t)bytes, &options, &lease));
    return (jlong)lease;
}

static jint extend(JNIEnv *env, jclass class, jlong lease, jlong bytes, jint wait)
{
    (void)class;
    unsigned extent = 0;
    interrupt_watch();
    (void)failure_check(env, mb_extend_wait(lease_of(lease), (uint64_t)bytes, (uint32_t)wait, &extent));
    return (jint)extent;
}

/* The address; the number of bytes goes to ret_bytes[0]. */
static jlong map(JNIEnv *env, jclass class, jlong lease, jint extent, jlongArray ret_bytes)
{
    (void)class;
    void *address = NULL;
    uint64_t bytes = 0;
    if (failure_check(env, mb_map(lease_of(lease), (unsigned)extent, &address, &bytes)) == 0) {
        jlong number = (jlong)bytes;
        (*env)->SetLongArrayRegion(env, ret_bytes, 0, 1, &number);
    }
    return (jlong)address;
}

/* A lease that ended before is released as well. */
static void release(JNIEnv *env, jclass class, jlong lease, jboolean leaves_zeros)
{
    (void)env, (void)class;
    (void)(leaves_zeros ? mb_release_to_zeros(lease_of(lease)) : mb_release(lease_of(lease)));
}

static void check(JNIEnv *env, jclass class, jlong lease)
{
    (void)class;
    (void)failure_check(env, mb_lease_check(lease_of(lease)));
}

static jboolean is_alive(JNIEnv *env, jclass class, jlong lease)
{
    (void)env, (void)class;
    return mb_lease_check(lease_of(lease)) == 0;
}

static void report_use(JNIEnv *env, jclass class, jlong lease, jlong bytes)
{
    (void)env, (void)class;
    mb_lease_report_use(lease_of(lease), (uint64_t)bytes);
}

enum property { ID, BYTES, FILE_BYTES, EXTENTS, TTL_MS, WHERE, HAS_HUGE_PAGES, CHARGE, END_REASON };

static jlong property(JNIEnv *env, jclass class, jlong handle, jint which)
{
    (void)env, (void)class;
    const mb_lease *lease = lease_of(handle);
    switch ((enum property)which) {
    case ID:
        return (jlong)mb_lease_id(lease);
    case BYTES:
        return (jlong)mb_lease_bytes(lease);
    case FILE_BYTES:
        return (jlong)mb_lease_file_bytes(lease);
    case EXTENTS:
        return (jlong)mb_lease_extents(lease);
    case TTL_MS:
        return (jlong)mb_lease_ttl(lease);
    case WHERE:
        return (jlong)mb_lease_location(lease);
    case HAS_HUGE_PAGES:
        return (jlong)mb_lease_has_huge_pages(lease);
    case CHARGE:
        return (jlong)mb_lease_charge(lease);
    case END_REASON:
        return (jlong)mb_lease_end_reason(lease);
    }
    return -1;
}

static const struct native_method methods[] = {
    {"acquire", "(JJ[B[B[I)J", (native_function *)acquire},
    {"extend", "(JJI)I", (native_function *)extend},
    {"map", "(JI[J)J", (native_function *)map},
    {"release", "(JZ)V", (native_function *)release},
    {"check", "(J)V", (native_function *)check},
    {"isAlive", "(J)Z", (native_function *)is_alive},
    {"reportUse", "(JJ)V", (native_function *)report_use},
    {"property", "(JI)J", (native_function *)property},
};

const struct method_table lease_methods = {"io/membroker/NativeLease", methods, sizeof methods / sizeof *methods};
