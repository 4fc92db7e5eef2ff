/* Runs the tests and counts them: smoke [file…] runs those of some files only. Ends with "N passed, N failed". */
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

mh_error *failure = NULL;
char untouched_place;

static jmp_buf end_of_test;
static char told[4096];

void fail_at(const char *file, int line, const char *format, ...)
{
    int length = snprintf(told, sizeof told, "%s:%d: ", file, line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(told + length, sizeof told - (size_t)length, format, arguments);
    va_end(arguments);
    longjmp(end_of_test, 1);
}

void check_ok(const char *file, int line, const char *call, mh_code code)
{
    if (code != MH_CODE_OK)
        fail_at(file, line, "%s: %s: %s", call, mh_code_name(code), failure ? mh_error_message(failure) : "(no error)");
    if (failure != NULL)
        fail_at(file, line, "%s: worked, but set an error", call);
}

void check_error(const char *file, int line, const char *call, mh_code code, mh_code expected, const char *message)
{
    if (code != expected)
        fail_at(file, line, "%s: %s, not %s: %s", call, mh_code_name(code), mh_code_name(expected),
                failure ? mh_error_message(failure) : "(no error)");
    if (failure == NULL)
        fail_at(file, line, "%s: failed, but set no error", call);
    if (mh_error_code(failure) != code)
        fail_at(file, line, "%s: returned %s, but the error's code is %s", call, mh_code_name(code),
                mh_error_name(failure));
    check_contains(file, line, call, mh_error_message(failure), message);
    mh_error_free(failure);
    failure = NULL;
}

void check_text(const char *file, int line, const char *what, const char *text, const char *expected)
{
    if (text == NULL || strcmp(text, expected) != 0)
        fail_at(file, line, "%s is %s, not %s", what, text ? text : "NULL", expected);
}

void check_contains(const char *file, int line, const char *what, const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_at(file, line, "%s is %s, without %s", what, text ? text : "NULL", part);
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "smoke: %s is not set; run make -C ffi check\n", name);
        exit(2);
    }
    return value;
}

const char *server_url(void)
{
    return environment("MH_TEST_URL");
}

const char *locked_url(void)
{
    return environment("MH_TEST_LOCKED_URL");
}

const char *tls_url(void)
{
    return environment("MH_TEST_TLS_URL");
}

static mh_client *open_namespace(const char *name, int timeout_ms)
{
    char options[160];
    mh_client *client = NULL;
    snprintf(options, sizeof options, "{\"namespace\":\"%s\",\"timeout_ms\":%d}", name, timeout_ms);
    CHECK_OK(mh_client_open(server_url(), options, &client, &failure));
    return client;
}

mh_client *open_client(void)
{
    static int opened = 0;
    char name[64];
    snprintf(name, sizeof name, "c-%ld-%d", (long)getpid(), ++opened);
    return open_namespace(name, 60000);
}

mh_client *open_client_again(const mh_client *client, int timeout_ms)
{
    return open_namespace(mh_client_namespace(client), timeout_ms);
}

mh_worker *open_worker(mh_client *client, const char *queue, int threads)
{
    char options[160];
    mh_worker *worker = NULL;
    snprintf(options, sizeof options, "{\"queues\":[\"%s\"],\"threads\":%d,\"kinds\":[\"work\"]}", queue, threads);
    CHECK_OK(mh_worker_open(client, options, &worker, &failure));
    return worker;
}

char *put(mh_client *client, const char *queue, const char *kind, const char *data_json, const char *options_json)
{
    char *jid = NULL;
    CHECK_OK(mh_queue_put(client, queue, kind, data_json, options_json, &jid, NULL, &failure));
    CHECK(jid != NULL);
    return jid;
}

mh_job *reserve(mh_client *client, const char *queue)
{
    mh_job *job = NULL;
    size_t count = 0;
    CHECK_OK(mh_queue_reserve(client, queue, NULL, 1, &job, &count, &failure));
    CHECK_NUMBER(count, 1);
    return job;
}

mh_job *next(mh_worker *worker)
{
    mh_job *job = NULL;
    CHECK_OK(mh_worker_next(worker, 10000, &job, &failure));
    CHECK(job != NULL);
    return job;
}

char *call(mh_client *client, const char *operation, const char *format, ...)
{
    char arguments[2048];
    char *reply = NULL;
    va_list values;
    va_start(values, format);
    vsnprintf(arguments, sizeof arguments, format, values);
    va_end(values);
    CHECK_OK(mh_client_call(client, operation, arguments, &reply, &failure));
    CHECK(reply != NULL);
    return reply;
}

void check_job(mh_client *client, const char *jid, const char *part)
{
    char *view = call(client, "job_get", "{\"jid\":\"%s\"}", jid);
    CHECK_CONTAINS(view, part);
    mh_string_free(view);
}

void check_count(mh_client *client, const char *queue, const char *state, int count)
{
    char part[64];
    char *counts = call(client, "queue_counts", "{\"queue\":\"%s\"}", queue);
    snprintf(part, sizeof part, "\"%s\":%d", state, count);
    CHECK_CONTAINS(counts, part);
    mh_string_free(counts);
}

static int passed = 0, failed = 0;

static void run(const char *file, const struct test *test)
{
    failure = NULL;
    if (setjmp(end_of_test) == 0) {
        test->run();
        passed++;
        return;
    }
    failed++;
    printf("FAILED  %s: %s: %s\n", file, test->name, told);
    fflush(stdout);
    mh_error_free(failure);
}

int main(int count, char **names)
{
    static const struct {
        const char *file;
        const struct test *tests;
    } files[] = {
        {"client", client_tests}, {"crew", crew_tests},   {"error", error_tests},   {"events", events_tests},
        {"fork", fork_tests},     {"input", input_tests}, {"job", job_tests},       {"queue", queue_tests},
        {"server", server_tests}, {"hooks", hook_tests}, {"kinds", kind_tests},   {"signal", signal_tests}, {"worker", worker_tests},
        {"testing", testing_tests}, {"strategy", strategy_tests},
    };
    for (size_t index = 0; index < sizeof files / sizeof *files; index++) {
        int wanted = count < 2;
        for (int name = 1; name < count; name++)
            wanted |= strcmp(names[name], files[index].file) == 0;
        for (const struct test *test = files[index].tests; wanted && test->name != NULL; test++)
            run(files[index].file, test);
    }
    printf("%d passed, %d failed\n", passed, failed);
    fflush(stdout);
    return failed > 0;
}
