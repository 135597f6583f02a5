#include "module/load.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

struct loaded { /* a mapping; kept for ever */
	struct loaded *next;
	char *path;
	dev_t device;
	ino_t inode;
	struct timespec changed;
	off_t size;
	void *handle;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct loaded *all;

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#elif defined(__riscv)
#define OUR_MACHINE EM_RISCV
#else
#define OUR_MACHINE EM_NONE
#endif

/* What the loader will map must be in the file: of one that is still being copied it would map pages that are not there, and
 * touching those is SIGBUS. */
static enum errcode whole(int fd, const ElfW(Ehdr) * head, const char *path, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_errno(e, errno, "module %s cannot be read", path);
	uint64_t need = head->e_phoff + (uint64_t)head->e_phnum * sizeof(ElfW(Phdr));
	for (unsigned k = 0; k < head->e_phnum && head->e_phentsize == sizeof(ElfW(Phdr)); k++) {
		ElfW(Phdr) segment;
		if (pread(fd, &segment, sizeof segment, (off_t)(head->e_phoff + k * sizeof segment)) != sizeof segment)
			break;
		if (segment.p_type == PT_LOAD && segment.p_offset + segment.p_filesz > need)
			need = segment.p_offset + segment.p_filesz;
	}
	if (need <= (uint64_t)st.st_size)
		return E_OK;
	return err_set(e, E_INVALID,
		"module %s is cut short: it has %lld of at least %llu bytes; was it copied to the end?", path,
		(long long)st.st_size, (unsigned long long)need);
}

static enum errcode check_elf(int fd, const char *path, struct err *e)
{
	ElfW(Ehdr) head;
	ssize_t n = pread(fd, &head, sizeof head, 0);
	if (n < SELFMAG || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
		return n >= 2 && memcmp(head.e_ident, "MZ", 2) == 0
				   ? err_set(e, E_INVALID,
						 "module %s is a Windows library (DLL); a module here is an ELF shared object", path)
				   : err_set(e, E_INVALID, "module %s is not an ELF file; build it with -shared", path);
	if (n < (ssize_t)sizeof head || head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
		return err_set(e, E_INVALID, "module %s is cut short, or is of another word size than this engine (%zu bits)",
			path, sizeof(void *) * 8);
	if (head.e_type != ET_DYN)
		return err_set(e, E_INVALID, "module %s is an ELF file but no shared object; build it with -shared", path);
	if (OUR_MACHINE != EM_NONE && head.e_machine != OUR_MACHINE)
		return err_set(e, E_INVALID, "module %s is for machine %u, this engine is for machine %u", path, head.e_machine,
			OUR_MACHINE);
	return whole(fd, &head, path, e);
}

static bool same_file(const struct loaded *l, const struct stat *st)
{
	return l->device == st->st_dev && l->inode == st->st_ino;
}

static bool unchanged(const struct loaded *l, const struct stat *st)
{
	return same_file(l, st) && l->size == st->st_size && l->changed.tv_sec == st->st_mtim.tv_sec &&
		   l->changed.tv_nsec == st->st_mtim.tv_nsec;
}

/* A file that was overwritten in place has the inode of the old mapping: the loader would give that one again. */
static enum errcode private_copy(
	int fd, const struct stat *st, const char *scratch, char *into, size_t size, struct err *e)
{
	snprintf(into, size, "%s/module-XXXXXX", scratch);
	int out = mkstemp(into);
	if (out < 0)
		return err_errno(e, errno, "cannot make a private copy of the module in %s", scratch);
	off_t at = 0;
	while (at < st->st_size) {
		ssize_t n = sendfile(out, fd, &at, (size_t)(st->st_size - at));
		if (n > 0)
			continue;
		int why = n < 0 ? errno : EIO;
		close(out);
		unlink(into);
		return err_errno(e, why, "cannot make a private copy of the module in %s", scratch);
	}
	close(out);
	return E_OK;
}

/* The loader compares names before it looks at files, so a file that was replaced needs a name of its own: more "./". $ORIGIN
 * stays the same directory. */
static void another_spelling(const char *path, unsigned n, char *into, size_t size)
{
	const char *base = strrchr(path, '/');
	size_t used = (size_t)snprintf(into, size, "%.*s/", (int)(base - path), path);
	for (; n && used + 2 < size; n--)
		used += (size_t)snprintf(into + used, size - used, "./");
	snprintf(into + used, used < size ? size - used : 0, "%s", base + 1);
}

/* A module needs libreeve.so.0. Once ours is loaded the loader takes it for every module, wherever that lies; where there is none
 * beside this program, the module's own search path decides. */
static void provide_libreeve(void)
{
	static const char *const places[] = {"libreeve.so.0", "../lib/libreeve.so.0"};
	static bool done;
	char own[4096], name[4200];
	ssize_t n = done ? -1 : readlink("/proc/self/exe", own, sizeof own - 1);
	done = true;
	if (n <= 0)
		return;
	own[n] = 0;
	*strrchr(own, '/') = 0;
	for (size_t k = 0; k < ARRAY_SIZE(places); k++) {
		snprintf(name, sizeof name, "%s/%s", own, places[k]);
		if (access(name, R_OK) == 0 && dlopen(name, RTLD_NOW | RTLD_LOCAL))
			return;
	}
}

static enum errcode map(const char *path, int fd, const struct stat *st, const char *scratch, void **out, struct err *e)
{
	unsigned versions = 0;
	bool overwritten = false;
	for (struct loaded *l = all; l; l = l->next) {
		if (unchanged(l, st) && strcmp(l->path, path) == 0) {
			*out = l->handle;
			return E_OK;
		}
		versions += strcmp(l->path, path) == 0;
		overwritten |= same_file(l, st) && !unchanged(l, st);
	}
	char name[4200];
	another_spelling(path, versions, name, sizeof name);
	if (overwritten) {
		enum errcode code = private_copy(fd, st, scratch, name, sizeof name, e);
		if (code != E_OK)
			return code;
	}
	provide_libreeve();
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (overwritten)
		unlink(name);
	if (!handle)
		return err_set(e, E_INVALID, "module %s cannot be loaded: %s", path, dlerror());
	struct loaded *l = NEW(struct loaded);
	*l = (struct loaded){all, mem_text(path), st->st_dev, st->st_ino, st->st_mtim, st->st_size, handle};
	all = l;
	*out = handle;
	return E_OK;
}

/* An object, or a function that gives one: the symbol table knows. */
static enum errcode find(
	void *handle, const char *path, const char *entry, const struct reeve_worker **out, struct err *e)
{
	void *symbol = dlsym(handle, entry);
	if (!symbol)
		return err_set(e, E_INVALID,
			"module %s has no symbol \"%s\"; it must export a struct reeve_worker, or a function returning one, of "
			"that name",
			path, entry);
	Dl_info info;
	const ElfW(Sym) *table = NULL;
	if (dladdr1(symbol, &info, (void **)&table, RTLD_DL_SYMENT) && table && ELF64_ST_TYPE(table->st_info) == STT_FUNC)
		*out = ((const struct reeve_worker *(*)(void))symbol)();
	else
		*out = symbol;
	if (!*out)
		return err_set(e, E_INVALID, "module %s: %s() returned no worker", path, entry);
	return E_OK;
}

static enum errcode check_abi(
	const struct reeve_worker *w, const char *path, const char *entry, struct abi_worker *out, struct err *e)
{
	char why[400];
	if (w->abi != REEVE_ABI)
		return err_set(e, E_INVALID,
			"module %s: \"%s\" has ABI %u, this engine has ABI %u; build it anew against this libreeve", path, entry,
			w->abi, REEVE_ABI);
	if (!abi_worker_init(out, w, why, sizeof why))
		return err_set(e, E_INVALID, "module %s: %s", path, why);
	return E_OK;
}

static enum errcode load(
	const char *path, const char *entry, const char *scratch, struct abi_worker *out, struct err *e)
{
	struct stat st;
	scoped(mem_close_at) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT ? err_set(e, E_NOT_FOUND, "module %s does not exist", path)
							   : err_errno(e, errno, "module %s cannot be read", path);
	enum errcode code = check_elf(fd, path, e);
	void *handle;
	const struct reeve_worker *worker;
	if (code == E_OK)
		code = map(path, fd, &st, scratch, &handle, e);
	if (code == E_OK)
		code = find(handle, path, entry, &worker, e);
	if (code == E_OK)
		code = check_abi(worker, path, entry, out, e);
	return code;
}

enum errcode load_worker(
	const char *path, const char *entry, const char *scratch, struct abi_worker *out, struct err *e)
{
	pthread_mutex_lock(&lock);
	enum errcode code = load(path, entry ? entry : "reeve_export", scratch, out, e);
	pthread_mutex_unlock(&lock);
	return code;
}
