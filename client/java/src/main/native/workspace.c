/* SPDX-License-Identifier: Apache-2.0 */
/* io.membroker.NativeWorkspace. Java has checked that the calling thread is the workspace's own. */
#include "client/java/src/main/native/shim.h"

static mb_workspace *workspace_of(jlong handle)
{
    return (mb_workspace *)handle; // NOLINT(performance-no-int-to-ptr)
}

/* ---- opening and closing ---- */

enum { INITIAL_SIZE, MIN_SIZE, MAX_SIZE, SIZES };
enum {
    ALLOCATION,
    LEARNING,
    CYCLES_BEFORE,
    RESET,
    STEPS,
    SPILL,
    LOCATION,
    MIRRORING,
    TTL,
    HUGE_PAGES,
    NUMA_NODE,
    PREFAULT,
    SETTINGS
};

static void take_settings(mb_workspace_config *config, const jint *setting)
{
    config->allocation_policy = (mb_allocation_policy)setting[ALLOCATION];
    config->learning_policy = (mb_learning_policy)setting[LEARNING];
    config->cycles_before_initialization = (uint32_t)setting[CYCLES_BEFORE];
    config->reset_policy = (mb_reset_policy)setting[RESET];
    config->steps_number = (uint32_t)setting[STEPS];
    config->spill_policy = (mb_spill_policy)setting[SPILL];
    config->location = (mb_location)setting[LOCATION];
    config->mirroring = (mb_mirroring_policy)setting[MIRRORING];
    config->ttl_ms = (uint32_t)setting[TTL];
    config->huge_pages = (mb_huge_pages)setting[HUGE_PAGES];
    config->numa_node = setting[NUMA_NODE];
    config->prefault = setting[PREFAULT];
}

static jlong open_workspace(JNIEnv *env, jclass class, jlong handle, jbyteArray name, jbyteArray file, jlongArray sizes,
                            jdouble overallocation_limit, jintArray settings)
{
    (void)class;
    char name_room[SHIM_NAME_BYTES], file_room[SHIM_PATH_BYTES];
    jlong size[SIZES];
    jint setting[SETTINGS];
    (*env)->GetLongArrayRegion(env, sizes, 0, SIZES, size);
    (*env)->GetIntArrayRegion(env, settings, 0, SETTINGS, setting);
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    config.initial_size = (uint64_t)size[INITIAL_SIZE];
    config.min_size = (uint64_t)size[MIN_SIZE];
    config.max_size = (uint64_t)size[MAX_SIZE];
    config.overallocation_limit = overallocation_limit;
    config.file = text_copy(env, file, file_room, sizeof file_room);
    take_settings(&config, setting);
    mb_workspace *workspace = NULL;
    thread_end_watch(env);
    interrupt_watch(); /* for what the workspace waits for later, too: it stays with its thread */
    (void)failure_check(env, mb_workspace_open(connection_of(handle)->client,
                                               text_copy(env, name, name_room, sizeof name_room), &config, &workspace));
    return (jlong)workspace;
}

static void close_workspace(JNIEnv *env, jclass class, jlong workspace)
{
    (void)env, (void)class;
    mb_workspace_close(workspace_of(workspace));
}

/* ---- scopes ---- */

/* Whether a cycle that begins so bypasses the arena. */
static jboolean enter(JNIEnv *env, jclass class, jlong workspace)
{
    (void)class;
    int result = failure_check(env, mb_workspace_enter(workspace_of(workspace)));
    return result == 0 && mb_get_debug_mode() == MB_DEBUG_BYPASS_EVERYTHING;
}

static void borrow(JNIEnv *env, jclass class, jlong workspace)
{
    (void)class;
    (void)failure_check(env, mb_workspace_borrow(workspace_of(workspace)));
}

/* Leaves in every case; throws if the memory was lost meanwhile, so that no result leaves a cycle unnoticed. */
static void leave(JNIEnv *env, jclass class, jlong workspace)
{
    (void)class;
    int lost = mb_workspace_check(workspace_of(workspace));
    int result = mb_workspace_leave(workspace_of(workspace)); /* keeps the sentence */
    if (lost < 0 || result < 0) {
        failure_throw(env, lost < 0 ? lost : result);
    }
}

static void check(JNIEnv *env, jclass class, jlong workspace)
{
    (void)class;
    (void)failure_check(env, mb_workspace_check(workspace_of(workspace)));
}

static void scope_out(JNIEnv *env, jclass class)
{
    (void)class;
    (void)failure_check(env, mb_scope_out());
}

static void scope_in(JNIEnv *env, jclass class)
{
    (void)class;
    (void)failure_check(env, mb_scope_in());
}

static void initialize(JNIEnv *env, jclass class, jlong workspace)
{
    (void)class;
    (void)failure_check(env, mb_workspace_initialize(workspace_of(workspace)));
}

static void toggle(JNIEnv *env, jclass class, jlong workspace, jboolean use)
{
    (void)env, (void)class;
    mb_workspace_toggle(workspace_of(workspace), use);
}

/* ---- allocating ---- */

static void *allocate(mb_workspace *workspace, jlong bytes, jboolean zeroed)
{
    return zeroed ? mb_workspace_alloc_aligned(workspace, (size_t)bytes, MB_WORKSPACE_ALIGNMENT, MB_ZEROED)
                  : mb_workspace_alloc(workspace, (size_t)bytes);
}

static jlong alloc(JNIEnv *env, jclass class, jlong workspace, jlong bytes, jboolean zeroed)
{
    (void)class;
    void *allocated = allocate(workspace_of(workspace), bytes, zeroed);
    if (!allocated) {
        failure_throw_errno(env);
    }
    return (jlong)allocated;
}

/* Whether the newest allocation is in the arena: then it ends where the next one begins. */
static int is_newest_in_arena(mb_workspace *workspace, const char *allocated, size_t bytes)
{
    size_t rounded = (bytes + (MB_WORKSPACE_ALIGNMENT - 1)) & ~(size_t)(MB_WORKSPACE_ALIGNMENT - 1);
    return ((struct mb_workspace_arena *)(void *)workspace)->next == allocated + rounded;
}

enum { REF_ORIGIN, REF_WORKSPACE, REF_GENERATION, REF_POSITION, REF_ARENA_BYTES, REF_NUMBERS };

/* In a circular workspace: negative if it is outside the arena. ret_reference tells when it will be overwritten. */
static jlong alloc_circular(JNIEnv *env, jclass class, jlong handle, jlong bytes, jboolean zeroed,
                            jlongArray ret_reference)
{
    (void)class;
    mb_workspace *workspace = workspace_of(handle);
    void *allocated = allocate(workspace, bytes, zeroed);
    if (!allocated) {
        failure_throw_errno(env);
        return 0;
    }
    mb_ref ref = mb_workspace_ref(workspace, allocated, (size_t)bytes);
    const jlong numbers[REF_NUMBERS] = {(jlong)ref.origin, (jlong)ref.workspace, (jlong)ref.generation,
                                        (jlong)ref.position, (jlong)mb_workspace_size(workspace)};
    (*env)->SetLongArrayRegion(env, ret_reference, 0, REF_NUMBERS, numbers);
    return is_newest_in_arena(workspace, allocated, (size_t)bytes) ? (jlong)allocated : -(jlong)allocated;
}

/* mb_ref_validity; throws if the memory is lost. */
static jint reference_state(JNIEnv *env, jclass class, jlong address, jlong bytes, jlongArray reference)
{
    (void)class;
    jlong numbers[REF_NUMBERS];
    (*env)->GetLongArrayRegion(env, reference, 0, REF_NUMBERS, numbers);
    const mb_ref ref = {.data = address_of(address),
                        .bytes = (size_t)bytes,
                        .origin = address_of(numbers[REF_ORIGIN]),
                        .workspace = (uint64_t)numbers[REF_WORKSPACE],
                        .generation = (uint64_t)numbers[REF_GENERATION],
                        .position = (uint64_t)numbers[REF_POSITION]};
    mb_ref_validity state = mb_ref_state(&ref);
    if (state == MB_REF_LOST) {
        (void)failure_check(env, mb_ref_check(&ref));
    }
    return (jint)state;
}

/* ---- looking ---- */

enum { STATISTICS = 21 };

static void statistics(JNIEnv *env, jclass class, jlong workspace, jlongArray ret)
{
    (void)class;
    mb_workspace_statistics s;
    mb_workspace_stats(workspace_of(workspace), &s);
    const uint64_t values[STATISTICS] = {s.current_size,
                                         s.offset,
                                         s.initial_block_size,
                                         s.this_cycle_bytes,
                                         s.last_cycle_bytes,
                                         s.max_cycle_bytes,
                                         s.spilled_bytes,
                                         s.spilled_count,
                                         s.pinned_bytes,
                                         s.pinned_count,
                                         s.total_spilled_bytes,
                                         s.total_spilled_count,
                                         s.total_pinned_bytes,
                                         s.total_pinned_count,
                                         s.cycles,
                                         s.steps,
                                         s.generation,
                                         s.sizings,
                                         s.sizings_refused,
                                         (uint64_t)s.location,
                                         (uint64_t)s.mirroring};
    (*env)->SetLongArrayRegion(env, ret, 0, STATISTICS, (const jlong *)values);
}

static jlong sizings(JNIEnv *env, jclass class, jlong workspace)
{
    (void)env, (void)class;
    mb_workspace_statistics all;
    mb_workspace_stats(workspace_of(workspace), &all);
    return (jlong)all.sizings;
}

static void set_debug_mode(JNIEnv *env, jclass class, jint mode)
{
    (void)env, (void)class;
    mb_set_debug_mode((mb_debug_mode)mode);
}

static jint debug_mode(JNIEnv *env, jclass class)
{
    (void)env, (void)class;
    return (jint)mb_get_debug_mode();
}

static const struct native_method methods[] = {
    {"open", "(J[B[B[JD[I)J", (native_function *)open_workspace},
    {"close", "(J)V", (native_function *)close_workspace},
    {"enter", "(J)Z", (native_function *)enter},
    {"borrow", "(J)V", (native_function *)borrow},
    {"leave", "(J)V", (native_function *)leave},
    {"check", "(J)V", (native_function *)check},
    {"scopeOut", "()V", (native_function *)scope_out},
    {"scopeIn", "()V", (native_function *)scope_in},
    {"initialize", "(J)V", (native_function *)initialize},
    {"toggle", "(JZ)V", (native_function *)toggle},
    {"alloc", "(JJZ)J", (native_function *)alloc},
    {"allocCircular", "(JJZ[J)J", (native_function *)alloc_circular},
    {"referenceState", "(JJ[J)I", (native_function *)reference_state},
    {"statistics", "(J[J)V", (native_function *)statistics},
    {"sizings", "(J)J", (native_function *)sizings},
    {"setDebugMode", "(I)V", (native_function *)set_debug_mode},
    {"debugMode", "()I", (native_function *)debug_mode},
};

const struct method_table workspace_methods = {"io/membroker/NativeWorkspace", methods,
                                               sizeof methods / sizeof *methods};
