/* Records what a process writes below one folder, in order, into one trace: the raw material of a power cut.
 *
 * LD_PRELOAD this. QPQ_TRACE_FOLDER: what to watch; QPQ_TRACE_FILE: where the trace goes. A record is
 * u8 operation, u32 path length, path, u64 offset, u64 length, data (for writes). Operations: 'w' write at offset,
 * 't' truncate to offset, 's' sync (of a file, or of the folder), 'u' unlink, 'r' rename (data is the new path).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace = -2;

static int trace_fd(void) {
    if (trace == -2) {
        const char *name = getenv("QPQ_TRACE_FILE");
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
        trace = name ? real(name, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    }
    return trace;
}

static int watched(const char *path) {
    const char *folder = getenv("QPQ_TRACE_FOLDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_BYTES_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return watched(path);
}

static void record(char operation, const char *path, uint64_t offset, const void *data, uint64_t length) {
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    uint32_t path_length = (uint32_t)strlen(path);
    size_t total = 1 + 4 + path_length + 8 + 8 + length, at = 0;
    char *buffer = malloc(total);
    if (!buffer || trace_fd() < 0) abort();
    buffer[at++] = operation;
    memcpy(buffer + at, &path_length, 4), at += 4;
    memcpy(buffer + at, path, path_length), at += path_length;
    memcpy(buffer + at, &offset, 8), at += 8;
    memcpy(buffer + at, &length, 8), at += 8;
    if (length) memcpy(buffer + at, data, length);
    if (real(trace_fd(), buffer, total) != (ssize_t)total) abort();
    free(buffer);
}

#define WITH_PATH(fd, operation, offset, data, length, call)                                                          \
    do {                                                                                                              \
        char path[PATH_BYTES_MAX];                                                                                    \
        int ours = path_of(fd, path);                                                                                 \
        if (ours) pthread_mutex_lock(&lock);                                                                          \
        int kept = 0;                                                                                                 \
        __typeof__(call) done = call;                                                                                 \
        kept = errno;                                                                                                 \
        if (ours && done >= 0) record(operation, path, (uint64_t)(offset), data, (uint64_t)(length));                 \
        if (ours) pthread_mutex_unlock(&lock);                                                                        \
        errno = kept;                                                                                                 \
        return done;                                                                                                  \
    } while (0)

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    WITH_PATH(fd, 'w', offset, data, done, real(fd, data, length, offset));
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    WITH_PATH(fd, 'w', offset, data, done, real(fd, data, length, offset));
}

ssize_t write(int fd, const void *data, size_t length) {
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    off_t offset = lseek(fd, 0, SEEK_CUR);
    WITH_PATH(fd, 'w', offset, data, done, real(fd, data, length));
}

int ftruncate64(int fd, off64_t length) {
    int (*real)(int, off64_t) = dlsym(RTLD_NEXT, "ftruncate64");
    WITH_PATH(fd, 't', length, "", 0, real(fd, length));
}

int ftruncate(int fd, off_t length) {
    int (*real)(int, off_t) = dlsym(RTLD_NEXT, "ftruncate");
    WITH_PATH(fd, 't', length, "", 0, real(fd, length));
}

int fsync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    WITH_PATH(fd, 's', 0, "", 0, real(fd));
}

int fdatasync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    WITH_PATH(fd, 's', 0, "", 0, real(fd));
}

int unlink(const char *path) {
    int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
    pthread_mutex_lock(&lock);
    int done = real(path), kept = errno;
    if (done == 0 && watched(path)) record('u', path, 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

int rename(const char *from, const char *to) {
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    pthread_mutex_lock(&lock);
    int done = real(from, to), kept = errno;
    if (done == 0 && watched(to)) record('r', from, 0, to, strlen(to));
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}
