/* faults.so, for LD_PRELOAD: lets operations fail, or ends the process, at a point that is placed by count.
 *
 * FAULTS_FILE names the file of struct faults, one for each program; processes of other programs go untouched. It does not
 * allocate, and it counts before anything is wrong: what is ordered for operation n hits n and nothing else. */
#undef _FILE_OFFSET_BITS /* pwrite and pwrite64 are two names here */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT	   __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&(name)))real(#name))

static struct faults *faults;

static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static bool is_program(const char *name)
{
	char self[64] = "";
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, self, sizeof self - 1) > 0 && !strncmp(self, name, strlen(name));
	if (fd >= 0)
		close(fd);
	return is;
}

__attribute__((constructor)) static void begin(void)
{
	static const char *const programs[FAULT_PROGRAMS] = {"reeve-engine", "testworker"};
	const char *path = getenv("FAULTS_FILE");
	for (int i = 0; path && i < FAULT_PROGRAMS; i++) {
		int fd = is_program(programs[i]) ? open(path, O_RDWR | O_CLOEXEC) : -1;
		if (fd < 0)
			continue;
		struct faults *all = mmap(NULL, FAULT_PROGRAMS * sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
		if (all != MAP_FAILED)
			faults = &all[i];
	}
}

static uint64_t count(uint64_t *counter)
{
	return __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static void die(void)
{
	faults->killed = (uint64_t)getpid();
	count(&faults->hits);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* The number of this write; whoever is to die before it dies here. */
static uint64_t write_begins(void)
{
	uint64_t n = count(&faults->writes);
	if (n == faults->kill_at)
		die();
	return n;
}

static void write_ends(uint64_t n)
{
	if (n == faults->kill_after)
		die();
}

static bool is_file(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_full(int fd)
{
	if (!is_file(fd))
		return false;
	uint64_t n = count(&faults->file_writes);
	if (n < faults->full_from || n >= faults->full_until)
		return false;
	count(&faults->hits);
	errno = ENOSPC;
	return true;
}

#define WRITE(type, name, parameters, arguments)                                                                       \
	EXPORT type name parameters;                                                                                       \
	EXPORT type name parameters                                                                                        \
	{                                                                                                                  \
		static __typeof__(&name) real_##name;                                                                          \
		if (!real_##name)                                                                                              \
			real_##name = REAL(name);                                                                                  \
		if (!faults)                                                                                                   \
			return real_##name arguments;                                                                              \
		uint64_t n = write_begins();                                                                                   \
		type done = is_full(fd) ? (type)-1 : real_##name arguments;                                                    \
		int error = errno;                                                                                             \
		write_ends(n);                                                                                                 \
		errno = error;                                                                                                 \
		return done;                                                                                                   \
	}

WRITE(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
WRITE(ssize_t, writev, (int fd, const struct iovec *v, int n_v), (fd, v, n_v))
WRITE(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRITE(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
WRITE(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
WRITE(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRITE(int, ftruncate, (int fd, off_t size), (fd, size))
WRITE(int, ftruncate64, (int fd, off64_t size), (fd, size))

static bool sync_fails(void)
{
	if (count(&faults->syncs) != faults->sync_fails_at)
		return false;
	count(&faults->hits);
	errno = EIO;
	return true;
}

#define SYNC(name)                                                                                                     \
	EXPORT int name(int fd)                                                                                            \
	{                                                                                                                  \
		static __typeof__(&name) real_##name;                                                                          \
		if (!real_##name)                                                                                              \
			real_##name = REAL(name);                                                                                  \
		if (!faults)                                                                                                   \
			return real_##name(fd);                                                                                    \
		uint64_t n = write_begins();                                                                                   \
		int done = sync_fails() ? -1 : real_##name(fd), error = errno;                                                 \
		write_ends(n);                                                                                                 \
		errno = error;                                                                                                 \
		return done;                                                                                                   \
	}

SYNC(fsync)
SYNC(fdatasync)

/* The C library's own names for its allocator: dlsym would allocate. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static bool no_memory(void)
{
	if (!faults)
		return false;
	uint64_t n = count(&faults->allocations);
	if (n < faults->no_memory_from || n >= faults->no_memory_until)
		return false;
	count(&faults->hits);
	errno = ENOMEM;
	return true;
}

EXPORT void *malloc(size_t size)
{
	return no_memory() ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
	return no_memory() ? NULL : __libc_calloc(n, size);
}

EXPORT void *realloc(void *old, size_t size)
{
	return no_memory() ? NULL : __libc_realloc(old, size);
}
