/* The program of these tests in C: what `worker` in main.rs does, kind by kind. */
#include <fcntl.h>
#include <libgen.h>
#include <manyhands.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST_THREADS = 16, LEAK = 200 * 1000 };

static mh_worker *worker = NULL;

static void must(mh_code code, mh_error **error)
{
    if (code != MH_CODE_OK) {
        fprintf(stderr, "worker: %s: %s\n", mh_error_name(*error), mh_error_message(*error));
        exit(1);
    }
}

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

static void stay(const mh_job *job)
{
    say_held(job);
    for (;;)
        pause();
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

static mh_code perform(mh_job *job, mh_error **error)
{
    const char *kind = mh_job_kind(job);
    char result[32];
    snprintf(result, sizeof result, "%d", (int)getpid());
    if (strcmp(kind, "hold") == 0 && !hold(job, 0))
        return mh_job_release(job, error);
    if (strcmp(kind, "heedless") == 0)
        hold(job, 1);
    if (strcmp(kind, "stubborn") == 0)
        stay(job);
    if (strcmp(kind, "crash") == 0)
        abort();
    if (strcmp(kind, "work") == 0 || strcmp(kind, "leak") == 0)
        note_begun(job);
    if (strcmp(kind, "leak") == 0)
        memset(malloc(LEAK), 1, LEAK);
    return mh_job_complete(job, result, NULL, error);
}

static void *perform_all(void *unused)
{
    mh_job *job = NULL;
    mh_error *error = NULL;
    mh_code code;
    while ((code = mh_worker_next(worker, UINT64_MAX, &job, &error)) == MH_CODE_OK) {
        code = perform(job, &error);
        if (code != MH_CODE_LOCK_LOST && code != MH_CODE_CLOSED)
            must(code, &error);
        mh_error_free(error);
        error = NULL;
        mh_job_free(job);
    }
    if (code != MH_CODE_CLOSED)
        must(code, &error);
    mh_error_free(error);
    return unused;
}

int main(void)
{
    mh_client *client = NULL;
    mh_error *error = NULL;
    pthread_t threads[MOST_THREADS];
    size_t count;
    must(mh_client_open_under_settings(NULL, &client, &error), &error);
    must(mh_worker_open_under_settings(client,
                                       "{\"queues\": [\"q\"], \"kill_timeout_ms\": 50, \"kinds\": [\"done\", \"hold\", "
                                       "\"heedless\", \"stubborn\", \"crash\", \"work\", \"leak\"]}",
                                       &worker, &error),
         &error);
    must(mh_worker_obey_signals(worker, &error), &error);
    count = mh_worker_threads(worker);
    need(count <= MOST_THREADS, "threads");
    for (size_t at = 0; at < count; at++)
        need(pthread_create(&threads[at], NULL, perform_all, NULL) == 0, "thread");
    for (size_t at = 0; at < count; at++)
        pthread_join(threads[at], NULL);
    must(mh_worker_stop(worker, 5000, &error), &error);
    mh_worker_free(worker);
    mh_client_free(client);
    return 0;
}
