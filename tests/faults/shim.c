/* Counts the file operations that change something below a folder, and kills the process, or fails, at one of them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT = 0, KILL = 1, FULL = 2, BROKEN = 3 };

static char prefix[PATH_MAX];
static size_t prefix_size;
static long seen, target;
static int mode;

void fault_arm(long at, int how, const char *folder) {
  snprintf(prefix, sizeof prefix, "%s/", folder);
  prefix_size = strlen(prefix);
  seen = 0, target = at, mode = how;
}

long fault_count(void) { return seen; }

/* 0 to go on, or the error to fail with. A full disk stays full, but only for what needs room. */
static int operation(int needs_room) {
  long number = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
  if (mode == KILL && number == target) kill(getpid(), SIGKILL);
  if (mode == FULL && number >= target && needs_room) return ENOSPC;
  if (mode == BROKEN && number == target) return EIO;
  return 0;
}

static int link_below(const char *link) {
  char path[PATH_MAX];
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  strcat(path, size < PATH_MAX - 2 ? "/" : "");
  return strncmp(path, prefix, prefix_size) == 0;
}

static int fd_below(int fd) {
  if (!prefix_size) return 0;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  return link_below(link);
}

static int path_below(int folder, const char *path) {
  if (!prefix_size) return 0;
  if (path[0] == '/') return strncmp(path, prefix, prefix_size) == 0;
  return folder == AT_FDCWD ? link_below("/proc/self/cwd") : fd_below(folder);
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAIL_IF(condition, needs_room) \
  do { \
    if (condition) { \
      int error = operation(needs_room); \
      if (error) { errno = error; return -1; } \
    } \
  } while (0)
#define WRITES(flags) (((flags) & O_ACCMODE) != O_RDONLY || ((flags) & (O_CREAT | O_TRUNC)))

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    mode_t bits = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    FAIL_IF(WRITES(flags) && path_below(AT_FDCWD, path), 1); \
    return real(path, flags, bits); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
  int name(int folder, const char *path, int flags, ...) { \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    mode_t bits = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    FAIL_IF(WRITES(flags) && path_below(folder, path), 1); \
    return real(folder, path, flags, bits); \
  }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t size) { REAL(write); FAIL_IF(fd_below(fd), 1); return real(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { REAL(pwrite); FAIL_IF(fd_below(fd), 1); return real(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { REAL(pwrite64); FAIL_IF(fd_below(fd), 1); return real(fd, data, size, at); }
ssize_t writev(int fd, const struct iovec *data, int size) { REAL(writev); FAIL_IF(fd_below(fd), 1); return real(fd, data, size); }
ssize_t sendfile(int out, int in, off_t *at, size_t size) { REAL(sendfile); FAIL_IF(fd_below(out), 1); return real(out, in, at, size); }
ssize_t sendfile64(int out, int in, off64_t *at, size_t size) { REAL(sendfile64); FAIL_IF(fd_below(out), 1); return real(out, in, at, size); }
ssize_t copy_file_range(int in, off64_t *at, int out, off64_t *to, size_t size, unsigned flags) { REAL(copy_file_range); FAIL_IF(fd_below(out), 1); return real(in, at, out, to, size, flags); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); FAIL_IF(fd_below(fd), 1); return real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); FAIL_IF(fd_below(fd), 1); return real(fd, size); }
int fsync(int fd) { REAL(fsync); FAIL_IF(fd_below(fd), 1); return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); FAIL_IF(fd_below(fd), 1); return real(fd); }
int mkdir(const char *path, mode_t bits) { REAL(mkdir); FAIL_IF(path_below(AT_FDCWD, path), 1); return real(path, bits); }
int mkdirat(int folder, const char *path, mode_t bits) { REAL(mkdirat); FAIL_IF(path_below(folder, path), 1); return real(folder, path, bits); }
int rename(const char *path, const char *to) { REAL(rename); FAIL_IF(path_below(AT_FDCWD, to), 0); return real(path, to); }
int renameat(int folder, const char *path, int other, const char *to) { REAL(renameat); FAIL_IF(path_below(other, to), 0); return real(folder, path, other, to); }
int renameat2(int folder, const char *path, int other, const char *to, unsigned flags) { REAL(renameat2); FAIL_IF(path_below(other, to), 0); return real(folder, path, other, to, flags); }
int link(const char *path, const char *to) { REAL(link); FAIL_IF(path_below(AT_FDCWD, to), 1); return real(path, to); }
int linkat(int folder, const char *path, int other, const char *to, int flags) { REAL(linkat); FAIL_IF(path_below(other, to), 1); return real(folder, path, other, to, flags); }
int unlink(const char *path) { REAL(unlink); FAIL_IF(path_below(AT_FDCWD, path), 0); return real(path); }
int unlinkat(int folder, const char *path, int flags) { REAL(unlinkat); FAIL_IF(path_below(folder, path), 0); return real(folder, path, flags); }
int rmdir(const char *path) { REAL(rmdir); FAIL_IF(path_below(AT_FDCWD, path), 0); return real(path); }
