/* Handles in a forked child: clients work, workers say that they belong to the parent, everything may be freed. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Seconds after which a child that hangs is killed. */
#define CHILD_LIFE 60

/* Runs `body` in a child, which answers 0, or the number of the check that failed. Then the child kills itself: it leaves
   the parent's connections alone on purpose, which valgrind would call leaks if the child ended by itself. */
static void in_child(int (*body)(mh_client *, mh_worker *, mh_job *), mh_client *client, mh_worker *worker, mh_job *job)
{
    int answer[2], status = 0;
    unsigned char result = 255;
    CHECK_NUMBER(pipe(answer), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(CHILD_LIFE);
        result = (unsigned char)body(client, worker, job);
        if (write(answer[1], &result, 1) == 1)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    CHECK_NUMBER(close(answer[1]), 0);
    CHECK_NUMBER(waitpid(child, &status, 0), child);
    CHECK_NUMBER(read(answer[0], &result, 1), 1);
    CHECK_NUMBER(result, 0);
    CHECK_NUMBER(close(answer[0]), 0);
}

static int put_in_child(mh_client *client, mh_worker *worker, mh_job *job)
{
    (void)worker;
    (void)job;
    for (int index = 0; index < 10; index++)
        if (mh_queue_put(client, "q", "work", "\"child\"", NULL, NULL, NULL, NULL) != MH_CODE_OK)
            return 1;
    char *counts = NULL;
    if (mh_client_call(client, "queue_counts", "{\"queue\":\"q\"}", &counts, NULL) != MH_CODE_OK)
        return 2;
    mh_string_free(counts);
    mh_client_free(client);
    return 0;
}

static void a_client_works_in_a_child(void)
{
    mh_client *client = open_client();
    mh_string_free(put(client, "q", "work", "\"parent\"", NULL));
    for (int children = 0; children < 3; children++) {
        in_child(put_in_child, client, NULL, NULL);
        mh_string_free(put(client, "q", "work", "\"parent\"", NULL));
    }
    check_count(client, "q", "waiting", 34);
    mh_client_free(client);
}

static void a_client_works_in_a_child_over_tls(void)
{
    char url[512], options[64];
    mh_client *client = NULL;
    snprintf(url, sizeof url, "%sca.pem", tls_url());
    snprintf(options, sizeof options, "{\"namespace\":\"c-%ld\"}", (long)getpid());
    CHECK_OK(mh_client_open(url, options, &client, &failure));
    mh_string_free(put(client, "q", "work", "\"parent\"", NULL));
    in_child(put_in_child, client, NULL, NULL);
    check_count(client, "q", "waiting", 11);
    mh_worker *worker = open_worker(client, "q", 1);
    mh_job *job = next(worker);
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    check_count(client, "q", "waiting", 10);
    mh_job_free(job);
    mh_worker_free(worker);
    mh_client_free(client);
}

static int use_parents_worker(mh_client *client, mh_worker *worker, mh_job *job)
{
    mh_error *told = NULL;
    mh_job *none = NULL;
    char *text = NULL;
    if (mh_worker_next(worker, 10000, &none, &told) != MH_CODE_CLOSED || none != NULL)
        return 1;
    if (strstr(mh_error_message(told), "forked child") == NULL)
        return 2;
    mh_error_free(told);
    if (mh_job_complete(job, NULL, NULL, NULL) != MH_CODE_CLOSED)
        return 3;
    if (mh_job_finish(job, "{\"complete\":{}}", &text, NULL) != MH_CODE_CLOSED || text != NULL)
        return 4;
    if (mh_job_heartbeat(job, NULL, NULL) != MH_CODE_CLOSED || mh_job_lost(job) != NULL)
        return 5;
    if (mh_worker_quiet(worker, NULL) != MH_CODE_OK)
        return 6;
    if (mh_worker_take_refused(worker, &text, NULL) != MH_CODE_OK || text != NULL)
        return 7;
    if (mh_worker_stop(worker, 10000, NULL) != MH_CODE_CLOSED || mh_worker_running(worker) != 0)
        return 8;

    mh_worker *own = NULL;
    if (mh_worker_open(client, "{\"queues\":[\"q\"]}", &own, NULL) != MH_CODE_OK)
        return 9;
    if (mh_worker_next(own, 10000, &none, NULL) != MH_CODE_OK || none == NULL)
        return 10;
    if (mh_job_complete(none, NULL, NULL, NULL) != MH_CODE_OK || mh_worker_stop(own, -1, NULL) != MH_CODE_OK)
        return 11;
    mh_job_free(none);
    mh_worker_free(own);
    mh_job_free(job);
    mh_worker_free(worker);
    mh_client_free(client);
    return 0;
}

static void a_worker_does_not_work_in_a_child(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    char *first = put(client, "q", "work", NULL, NULL);
    mh_job *job = next(worker);
    char *second = put(client, "q", "work", NULL, NULL);
    in_child(use_parents_worker, client, worker, job);
    check_job(client, second, "\"state\":\"completed\"");
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    check_job(client, first, "\"state\":\"completed\"");
    mh_job_free(job);
    mh_worker_free(worker);
    mh_string_free(first);
    mh_string_free(second);
    mh_client_free(client);
}

/* What the child below uses. */
static mh_events *parents_events;

static int use_parents_events(mh_client *client, mh_worker *worker, mh_job *job)
{
    mh_events *own = NULL;
    char *event = NULL;
    (void)worker;
    (void)job;
    if (mh_events_next(parents_events, 10000, &event, NULL) != MH_CODE_CLOSED || event != NULL)
        return 1;
    if (mh_events_close(parents_events, NULL) != MH_CODE_OK || mh_events_gaps(parents_events) != 0)
        return 2;
    mh_events_free(parents_events);
    if (mh_events_open(client, NULL, &own, NULL) != MH_CODE_OK)
        return 3;
    if (mh_client_call(client, "job_track", "{\"jids\":[\"a\"]}", NULL, NULL) != MH_CODE_OK)
        return 4;
    if (mh_events_next(own, 10000, &event, NULL) != MH_CODE_OK || event == NULL)
        return 5;
    mh_string_free(event);
    mh_events_free(own);
    mh_client_free(client);
    return 0;
}

static void a_subscription_does_not_work_in_a_child(void)
{
    mh_client *client = open_client();
    char *event = NULL;
    mh_string_free(put(client, "q", "work", NULL, "{\"jid\":\"a\"}"));
    CHECK_OK(mh_events_open(client, NULL, &parents_events, &failure));
    in_child(use_parents_events, client, NULL, NULL);
    CHECK_OK(mh_events_next(parents_events, 10000, &event, &failure));
    CHECK_CONTAINS(event, "\"event\":\"track\"");
    mh_string_free(event);
    mh_events_free(parents_events);
    mh_client_free(client);
}

const struct test fork_tests[] = {
    {"a client works in a child", a_client_works_in_a_child},
    {"a client works in a child over TLS", a_client_works_in_a_child_over_tls},
    {"a worker does not work in a child", a_worker_does_not_work_in_a_child},
    {"a subscription does not work in a child", a_subscription_does_not_work_in_a_child},
    END_OF_TESTS,
};
