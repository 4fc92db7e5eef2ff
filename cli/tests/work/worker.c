/* The program of these tests in C: what `worker` in main.rs does, kind by kind, as the example of a worker serves. */
#include "../../../examples/c/serve.h"

#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LEAK = 200 * 1000 };

/* What the system is asked for is there. */
static void need(int is_there, const char *what)
{
    if (!is_there) {
        perror(what);
        exit(1);
    }
}

/* Tells the test that the handler runs; what can be read from the socket then says that it may end. */
static int say_held(const mh_job *job)
{
    struct sockaddr_un test = {.sun_family = AF_UNIX};
    int held = socket(AF_UNIX, SOCK_STREAM, 0);
    need(snprintf(test.sun_path, sizeof test.sun_path, "%s", getenv("MH_TEST_HOLD")) < (int)sizeof test.sun_path, "path");
    need(connect(held, (struct sockaddr *)&test, sizeof test) == 0, "connect");
    need(dprintf(held, "%s %d\n", mh_job_jid(job), (int)getpid()) > 0, "held");
    return held;
}

/* Runs until the test says so, or, unless it is heedless, an interrupt does: then it is false. */
static int hold(const mh_job *job, int is_heedless)
{
    int held = say_held(job), is_done = 0;
    char byte;
    while (!is_done && (is_heedless || mh_job_interrupted(job) == NULL)) {
        struct pollfd answer = {.fd = held, .events = POLLIN};
        if (poll(&answer, 1, 20) == 1) {
            need(read(held, &byte, 1) == 1, "the test is gone");
            is_done = 1;
        }
    }
    close(held);
    return is_done;
}

/* One write: processes write to the same file. */
static void note_begun(const mh_job *job)
{
    char path[256], line[256];
    int file, length;
    snprintf(path, sizeof path, "%s", getenv("MH_TEST_HOLD"));
    snprintf(line, sizeof line, "%s/begun", dirname(path));
    file = open(line, O_WRONLY | O_APPEND | O_CREAT, 0600);
    length = snprintf(line, sizeof line, "%d %s\n", (int)getpid(), mh_job_jid(job));
    need(file >= 0 && write(file, line, (size_t)length) == length, "begun");
    close(file);
}

static const char *done(mh_job *job)
{
    (void)job;
    return NULL;
}

static const char *held(mh_job *job)
{
    return hold(job, 0) ? NULL : "interrupted";
}

/* Its result tells which process it was. */
static const char *heedless(mh_job *job)
{
    char result[32];
    hold(job, 1);
    snprintf(result, sizeof result, "%d", (int)getpid());
    mh_job_complete(job, result, NULL, NULL);
    return NULL;
}

static const char *stubborn(mh_job *job)
{
    int held = say_held(job);
    while (held >= 0)
        pause();
    return NULL;
}

static const char *crash(mh_job *job)
{
    (void)job;
    abort();
}

static const char *work(mh_job *job)
{
    note_begun(job);
    return NULL;
}

static const char *leak(mh_job *job)
{
    note_begun(job);
    memset(malloc(LEAK), 1, LEAK);
    return NULL;
}

static const struct kind kinds[] = {
    {"done", NULL, done},   {"hold", NULL, held}, {"heedless", NULL, heedless}, {"stubborn", NULL, stubborn},
    {"crash", NULL, crash}, {"work", NULL, work}, {"leak", NULL, leak},         {"stuck", "{\"timeout_ms\": 50}", stubborn},
};

int main(void)
{
    return serve(kinds, sizeof kinds / sizeof *kinds,
                 "{\"queues\": [\"q\"], \"kill_timeout_ms\": 50, \"kinds\": [\"done\", \"hold\", \"heedless\", \"stubborn\", "
                 "\"crash\", \"work\", \"leak\", \"stuck\"]}");
}
