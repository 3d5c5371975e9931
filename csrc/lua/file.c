/* lua/file.c - small files that hold secrets, read into memory that is wiped. */
#include "lua/bindings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum wps_kind fail(struct wps_error *error, const char *what, const char *why)
{
    return wps_fail(error, WPS_CREDENTIAL, NULL, "file", "%s cannot be read: %s", what, why);
}

static enum wps_kind read_all(int descriptor, const char *what, size_t maximum, struct wps_buffer *text,
                              struct wps_error *error)
{
    ssize_t got = 1;

    text->maximum = maximum + 1;
    while (got > 0 && text->length <= maximum) {
        char *room = wps_buffer_reserve(text, maximum + 1 - text->length);

        if (!room)
            return wps_buffer_check(text, error, what);
        do
            got = read(descriptor, room, maximum + 1 - text->length);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            return fail(error, what, strerror(errno));
        wps_buffer_commit(text, (size_t)got);
    }
    if (text->length > maximum)
        return wps_fail(error, WPS_CREDENTIAL, NULL, "file", "%s has more than %zu bytes", what, maximum);
    return WPS_OK;
}

enum wps_kind wps_read_file(const char *path, const char *what, size_t maximum, bool itself, struct wps_buffer *text,
                            struct wps_error *error)
{
    /* what is no file, such as a FIFO, must not hold anybody up */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (itself ? O_NOFOLLOW : 0));
    struct stat status;
    enum wps_kind failed;

    if (descriptor < 0)
        return fail(error, what, errno == ELOOP && itself ? "it is a symbolic link" : strerror(errno));
    if (fstat(descriptor, &status) != 0)
        failed = fail(error, what, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        failed = fail(error, what, "it is not a regular file");
    else
        failed = read_all(descriptor, what, maximum, text, error);
    close(descriptor);
    return failed;
}
