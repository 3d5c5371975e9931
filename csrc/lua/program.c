/* lua/program.c - a program that is asked for a token: started without a shell, read as it writes, ended in time.
 *
 * Nothing here waits but for a moment after a kill: the Lua side asks again and again whether the program is through. */
#define _DEFAULT_SOURCE /* syscall() */
#include "lua/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WPS_PROGRAM "webpubsub.program"

enum { MAX_OUTPUT = 256 * 1024, MAX_COMPLAINT = 4096 }; /* bytes */
enum { MAX_ARGUMENTS = 16, MAX_PATH = 4096 };
enum { MOST_DESCRIPTORS = 65536 }; /* closed one by one, where the kernel cannot close them all */
enum { FIRST_INHERITED = 3 };

extern char **environ;

struct program {
    pid_t pid; /* 0: none, or it has been waited for */
    bool is_started, is_known; /* is_known: `status` is what it ended with */
    int status;
    int ends[2]; /* of its output and its complaints, for reading; 0: closed */
    struct wps_buffer texts[2];
};

/* ------------------------------------------------------------------ ending */

static void close_end(int *descriptor)
{
    if (*descriptor > 0)
        close(*descriptor);
    *descriptor = 0;
}

/* Has it ended? A host that waits for all children may have taken its status, which then nobody knows. */
static bool reap(struct program *self)
{
    pid_t got;

    if (!self->pid)
        return true;
    do
        got = waitpid(self->pid, &self->status, WNOHANG);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return false;
    self->is_known = got > 0;
    self->pid = 0;
    return true;
}

static void end(struct program *self)
{
    const struct timespec moment = { 0, 5000000 };

    close_end(&self->ends[0]);
    close_end(&self->ends[1]);
    if (self->pid && !reap(self)) {
        kill(-self->pid, SIGKILL); /* with all it has started */
        for (int i = 0; i < 200 && !reap(self); i++)
            nanosleep(&moment, NULL);
    }
}

static struct program *to_program(lua_State *L)
{
    return luaL_checkudata(L, 1, WPS_PROGRAM);
}

static int program_close(lua_State *L)
{
    struct program *self = to_program(L);

    end(self);
    wps_buffer_free(&self->texts[0]);
    wps_buffer_free(&self->texts[1]);
    return 0;
}

/* ------------------------------------------------------------------ starting */

/* Finds a program in the absolute folders of PATH; what the folder here holds is not started. */
static bool find_program(const char *name, char *path, size_t size)
{
    const char *folder = getenv("PATH");

    while (folder && *folder) {
        size_t length = strcspn(folder, ":");
        int written = *folder == '/' ? snprintf(path, size, "%.*s/%s", (int)length, folder, name) : 0;

        if (written > 0 && (size_t)written < size && access(path, X_OK) == 0)
            return true;
        folder += length + (folder[length] == ':');
    }
    return false;
}

static void close_inherited(int most)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, FIRST_INHERITED, ~0U, 0) == 0)
        return;
#endif
    for (int descriptor = FIRST_INHERITED; descriptor < most; descriptor++)
        close(descriptor);
}

/* In the child, where nothing is allowed that could wait for a lock of another thread's. */
static void become(const char *path, char **argv, const int writers[2], int nothing, int most)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    if (dup2(nothing, STDIN_FILENO) < 0 || dup2(writers[0], STDOUT_FILENO) < 0 || dup2(writers[1], STDERR_FILENO) < 0)
        _exit(127);
    close_inherited(most);
    execve(path, argv, environ);
    _exit(127);
}

/* Above those that the child sets up, which it could overwrite otherwise. */
static int raised(int descriptor)
{
    int higher = descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_INHERITED);

    if (descriptor >= 0)
        close(descriptor);
    return higher;
}

static bool open_pipe(int *reader, int *writer)
{
    int pair[2];

    if (pipe(pair) != 0)
        return false;
    *reader = raised(pair[0]);
    *writer = raised(pair[1]);
    return *reader >= 0 && *writer >= 0 && fcntl(*reader, F_SETFL, O_NONBLOCK) == 0;
}

static int descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > MOST_DESCRIPTORS)
        return MOST_DESCRIPTORS;
    return (int)limit.rlim_cur;
}

static enum wps_kind start(struct program *self, const char *path, char **argv, struct wps_error *error)
{
    int writers[2] = { -1, -1 }, nothing = raised(open("/dev/null", O_RDONLY | O_CLOEXEC));
    int most = descriptor_limit(), problem = 0;
    bool ready = nothing >= 0 && open_pipe(&self->ends[0], &writers[0]) && open_pipe(&self->ends[1], &writers[1]);
    pid_t pid = ready ? fork() : -1;

    if (pid == 0)
        become(path, argv, writers, nothing, most);
    problem = errno;
    if (pid > 0) {
        setpgid(pid, pid); /* whoever is first */
        self->pid = pid;
        self->is_started = true;
    }
    for (int i = 0; i < 2; i++)
        if (writers[i] >= 0)
            close(writers[i]);
    if (nothing >= 0)
        close(nothing);
    if (pid < 0)
        return wps_fail(error, WPS_CREDENTIAL, NULL, "program", "%s cannot be started: %s", argv[0], strerror(problem));
    return WPS_OK;
}

/* program{ "az", "account", ... }: starts it; or nil, code, message. */
static int core_program(lua_State *L)
{
    char *argv[MAX_ARGUMENTS + 1] = { NULL };
    char path[MAX_PATH];
    struct wps_error error = { 0 };
    struct program *self;
    int count;

    luaL_checktype(L, 1, LUA_TTABLE);
    count = (int)lua_rawlen(L, 1);
    luaL_argcheck(L, count >= 1 && count <= MAX_ARGUMENTS, 1, "too many arguments");
    luaL_checkstack(L, MAX_ARGUMENTS + 4, NULL);
    lua_settop(L, 1);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, 1, i + 1);
        argv[i] = (char *)luaL_checkstring(L, -1); /* execve() changes none; the stack keeps them */
    }
    self = lua_newuserdata(L, sizeof *self);
    memset(self, 0, sizeof *self);
    luaL_setmetatable(L, WPS_PROGRAM);
    self->texts[0].maximum = MAX_OUTPUT;
    self->texts[1].maximum = MAX_COMPLAINT;
    if (!find_program(argv[0], path, sizeof path))
        wps_fail(&error, WPS_CREDENTIAL, NULL, "not_installed", "%s is not installed, or not in PATH", argv[0]);
    else
        start(self, path, argv, &error);
    return error.kind ? wpsL_push_refusal(L, &error) : 1;
}

/* ------------------------------------------------------------------ reading */

/* Reads what is there. False: it is more than there is room for. Of complaints the beginning is enough. */
static bool drain(struct program *self, int which)
{
    struct wps_buffer *text = &self->texts[which];
    char piece[4096];
    ssize_t got;

    while (self->ends[which] > 0) {
        got = read(self->ends[which], piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (got <= 0) {
            close_end(&self->ends[which]);
            break;
        }
        if (which == 1 && (size_t)got > MAX_COMPLAINT - text->length)
            got = (ssize_t)(MAX_COMPLAINT - text->length);
        wps_buffer_append(text, piece, (size_t)got);
        wps_wipe(piece, sizeof piece);
        if (text->failed)
            return false;
    }
    return true;
}

/* step(): is it through? One that writes too much is ended. */
static int program_step(lua_State *L)
{
    struct program *self = to_program(L);
    bool is_over = reap(self); /* whoever else has its output open */
    bool fits = drain(self, 0) && drain(self, 1);

    if (!fits)
        end(self);
    lua_pushboolean(L, !fits || is_over);
    return 1;
}

/* The first line of what it complained about, without "ERROR: ". */
static void complain(const struct program *self, const char *name, struct wps_error *error)
{
    enum { SHOWN = 200 };
    struct wps_slice text = { wps_buffer_string(&self->texts[1]), self->texts[1].length };
    char line[SHOWN + 1];
    size_t length = 0;

    text = wps_slice_trim(text);
    if (text.length > 7 && memcmp(text.data, "ERROR: ", 7) == 0) {
        text.data += 7;
        text.length -= 7;
    }
    while (length < text.length && length < SHOWN && text.data[length] != '\n' && text.data[length] != '\r') {
        line[length] = text.data[length];
        if ((unsigned char)line[length] < ' ' || (unsigned char)line[length] >= 0x7f)
            line[length] = ' ';
        length++;
    }
    line[length] = '\0';
    wps_fail(error, WPS_CREDENTIAL, NULL, "program", "%s has failed%s%s", name, length ? ": " : "", line);
}

static void set_local_time(struct wps_token *token, const struct wps_program_time *local)
{
    struct tm parts = {
        .tm_year = local->parts[0] - 1900, .tm_mon = local->parts[1] - 1, .tm_mday = local->parts[2],
        .tm_hour = local->parts[3], .tm_min = local->parts[4], .tm_sec = local->parts[5], .tm_isdst = -1,
    };

    if (local->is_utc)
        token->expires = wps_utc_seconds(local->parts);
    else
        token->expires = (double)mktime(&parts);
}

/* answer(name, wall): what it wrote, as identity:answer() gives it. */
static int program_answer(lua_State *L)
{
    struct program *self = to_program(L);
    const char *name = luaL_checkstring(L, 2);
    double wall = luaL_checknumber(L, 3);
    struct wps_slice output = { wps_buffer_string(&self->texts[0]), self->texts[0].length };
    struct wps_program_time local = { .is_utc = false };
    struct wps_token token = { .expires = 0 };
    struct wps_buffer *text = wpsL_push_scratch(L, 0);
    struct wps_error error = { 0 };

    end(self);
    if (self->texts[0].failed)
        wps_fail(&error, WPS_CREDENTIAL, NULL, "program", "%s has written more than %d bytes", name, MAX_OUTPUT);
    else if (self->is_known && !(WIFEXITED(self->status) && WEXITSTATUS(self->status) == 0))
        complain(self, name, &error);
    else if (!wps_program_answer(output, wall, &local, &token, &error) && local.parts[0])
        set_local_time(&token, &local);
    wps_buffer_free(&self->texts[0]);
    if (!error.kind && token.expires <= wall) {
        wps_token_free(&token);
        wps_fail(&error, WPS_CREDENTIAL, NULL, "malformed", "%s gave a token that has expired already", name);
    }
    return error.kind ? wpsL_push_refusal(L, &error) : wpsL_push_token(L, text, &token);
}

void wpsL_register_program(lua_State *L)
{
    static const luaL_Reg functions[] = { { "program", core_program }, { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "step", program_step }, { "answer", program_answer }, { "close", program_close }, { NULL, NULL },
    };

    luaL_newmetatable(L, WPS_PROGRAM);
    lua_pushcfunction(L, program_close);
    lua_setfield(L, -2, "__gc");
    luaL_newlibtable(L, methods);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
