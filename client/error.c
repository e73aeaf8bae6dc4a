/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the newest error's sentence and figures, and translates the broker's codes to errno. */
#include "client/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/thread.h"
#include "membroker.h"
#include "proto/base/text.h"

const char *mb_last_error(void)
{
    const struct thread *thread = thread_get();
    return thread ? thread->sentence : "out of memory, even for an error's sentence";
}

int error_set(int code, const char *format, ...)
{
    struct thread *thread = thread_get();
    va_list arguments;
    va_start(arguments, format);
    if (thread) {
        (void)vsnprintf(thread->sentence, sizeof thread->sentence, format, arguments);
        text_end_whole(thread->sentence);
        thread->refusal.limit[0] = '\0';
        thread->ended = MB_END_NONE;
        thread->lost_lease = 0;
    }
    va_end(arguments);
    errno = -code;
    return code;
}

int error_no_memory(void)
{
    return error_set(-ENOMEM, "out of memory for the library's own tables");
}

void error_add_figures(const struct refusal *refusal)
{
    struct thread *thread = thread_get();
    if (thread) {
        thread->refusal = *refusal;
    }
}

void error_add_end(mb_end_reason reason)
{
    struct thread *thread = thread_get();
    if (thread) {
        thread->ended = reason;
    }
}

uint64_t mb_last_lost_lease(void)
{
    return thread_self && thread_self->sentence[0] ? thread_self->lost_lease : 0;
}

mb_end_reason mb_last_end_reason(void)
{
    return thread_self && thread_self->sentence[0] ? thread_self->ended : MB_END_NONE;
}

int error_set_lost(uint64_t lease, const char *sentence, mb_end_reason reason)
{
    struct thread *thread = thread_get();
    int result = error_set(-ESTALE, "%s", sentence);
    error_add_end(reason);
    if (thread) {
        thread->lost_lease = lease;
    }
    return result;
}

void error_continue(const char *format, ...)
{
    struct thread *thread = thread_get();
    int saved = errno;
    va_list arguments;
    va_start(arguments, format);
    if (thread) {
        size_t used = strlen(thread->sentence);
        (void)vsnprintf(thread->sentence + used, sizeof thread->sentence - used, format, arguments);
        text_end_whole(thread->sentence);
    }
    va_end(arguments);
    errno = saved;
}

int error_code(const struct error_reply *error)
{
    switch (error->code) {
    case ERROR_LIMIT:
        return error->refusal.limit_kind == LIMIT_KIND_MAPPED_BYTES ? -ENOSPC : -ENOMEM;
    case ERROR_HOST_MEMORY:
        return -ENOMEM;
    case ERROR_DISK_FULL:
        return -ENOSPC;
    case ERROR_NO_SUCH_LEASE:
    case ERROR_LEASE_ENDED:
    case ERROR_BLOCK_ENDED:
        return -ESTALE;
    case ERROR_INVALID:
        return -EINVAL;
    case ERROR_NOT_PERMITTED:
        return -EACCES;
    case ERROR_NOT_SUPPORTED:
        return -EOPNOTSUPP;
    case ERROR_TOO_MANY:
        return -EMFILE;
    case ERROR_BUSY:
    case ERROR_STILL_WRITABLE:
        return -EBUSY;
    case ERROR_NAME_TAKEN:
        return -EEXIST;
    case ERROR_NO_SUCH_BLOCK:
    case ERROR_NO_SUCH_RESERVATION:
        return -ENOENT;
    case ERROR_SYSTEM:
        return -EIO;
    case ERROR_CANCELLED:
        return -ECANCELED;
    case ERROR_SHUTTING_DOWN:
        return -ESHUTDOWN;
    case ERROR_NO_SUCH_SESSION: /* membrokerctl asked; session.c handles the answer to a hello */
        return -ENOENT;
    case ERROR_UNSPECIFIED:
    case ERROR_MALFORMED:
    case ERROR_OVERSIZED:
    case ERROR_UNKNOWN_REQUEST:
    case ERROR_PROTOCOL_VERSION:
    case ERROR_NOT_GREETED:
    case ERROR_MONITOR:
    case ERROR_REPLACED:
    case ERROR_CODES:
        break;
    }
    return -EPROTO;
}

int error_from_broker(const struct error_reply *error)
{
    int code = error_set(error_code(error), "%s", error->sentence);
    error_add_figures(&error->refusal);
    return code;
}
