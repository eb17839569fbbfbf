/*
 * Loaded before the C library (LD_PRELOAD): fail_at(k) makes the k-th allocation of the calling thread from then on
 * fail, counted from 0; allocations_stop() ends that and returns how many there were. What other threads allocate is
 * left alone. failed_in(), to be called beforehand, gives where the name of the library will stand whose allocation
 * failed, without its folder: in memory that a child shares with its parent, who can read it after a crash. glibc only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *block);

static __thread long calls, failing_call;
static __thread int counting;
static char *culprit;
enum { LONGEST = 4096 };

char *failed_in(void)
{
    if (culprit == NULL) culprit = mmap(NULL, LONGEST, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return culprit;
}

void fail_at(long k)
{
    calls = 0;
    failing_call = k;
    counting = 1;
}

long allocations_stop(void)
{
    counting = 0;
    return calls;
}

static long alive; /* blocks of all threads that were allocated and not freed */

long blocks_alive(void)
{
    return __atomic_load_n(&alive, __ATOMIC_SEQ_CST);
}

static void *counted(void *block)
{
    if (block != NULL) __atomic_add_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    return block;
}

/* The name of the first library on the stack that is neither this one, nor the interpreter or the C library, which
   allocate for others. */
static void note_culprit(void)
{
    void *frames[32];
    Dl_info self = {0}, library = {0};
    dladdr((void *)&alive, &self);
    const int n = backtrace(frames, 32);
    for (int i = 0; i < n; i++) {
        if (!dladdr(frames[i], &library) || library.dli_fname == NULL || library.dli_fbase == self.dli_fbase) continue;
        const char *const slash = strrchr(library.dli_fname, '/');
        const char *const name = slash != NULL ? slash + 1 : library.dli_fname;
        if (strncmp(name, "libpython", 9) == 0 || strncmp(name, "python", 6) == 0) continue;
        if (strncmp(name, "libc.", 5) == 0) continue;
        strncpy(culprit, name, LONGEST - 1);
        return;
    }
}

static int fails(void)
{
    if (!counting || calls++ != failing_call) return 0;
    counting = 0; /* what notes the culprit may allocate */
    if (culprit != NULL) note_culprit();
    counting = 1;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t bytes)
{
    return fails() ? NULL : counted(__libc_malloc(bytes));
}

void *calloc(size_t n, size_t bytes)
{
    return fails() ? NULL : counted(__libc_calloc(n, bytes));
}

void *realloc(void *block, size_t bytes)
{
    if (fails()) return NULL;
    return block == NULL ? counted(__libc_malloc(bytes)) : __libc_realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails() ? NULL : counted(__libc_memalign(alignment, bytes));
}

int posix_memalign(void **block, size_t alignment, size_t bytes)
{
    if (fails()) return ENOMEM;
    *block = counted(__libc_memalign(alignment, bytes));
    return *block == NULL ? ENOMEM : 0;
}

void free(void *block)
{
    if (block != NULL) __atomic_sub_fetch(&alive, 1, __ATOMIC_SEQ_CST);
    __libc_free(block);
}
