/* Lets User-Mode Linux run on processors with AMX. UML writes back 2696 bytes of the registers of a process, its buffer
 * size, and the host kernel accepts only the full 11008 bytes. This library adds the remaining bytes, which no process
 * in the lab may use. lab.py preloads it into linux.uml. */

#define _GNU_SOURCE
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NT_X86_XSTATE 0x202
#define IN_USE 512                   /* the offset of the bit mask of the components in use */
#define TILES (3ull << 17)

static char whole[65536] __attribute__((aligned(64)));
static size_t size;

long ptrace(enum __ptrace_request request, ...)
{
    va_list given;
    va_start(given, request);
    long pid = va_arg(given, long);
    void *address = va_arg(given, void *), *data = va_arg(given, void *);
    va_end(given);
    if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE) {
        struct iovec *part = data, all = {whole, sizeof whole};
        if (!size && syscall(SYS_ptrace, PTRACE_GETREGSET, pid, address, &all) == 0)
            size = all.iov_len;
        if (size > part->iov_len) {
            memcpy(whole, part->iov_base, part->iov_len);
            memset(whole + part->iov_len, 0, size - part->iov_len);
            *(unsigned long long *)(whole + IN_USE) &= ~TILES;
            all.iov_len = size;
            return syscall(SYS_ptrace, request, pid, address, &all);
        }
    }
    long result = 0;
    if (request != PTRACE_PEEKTEXT && request != PTRACE_PEEKDATA && request != PTRACE_PEEKUSER)
        return syscall(SYS_ptrace, request, pid, address, data);
    return syscall(SYS_ptrace, request, pid, address, &result) < 0 ? -1 : result;
}
