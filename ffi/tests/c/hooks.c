/* The hooks: functions of the program are told of puts and of runs. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

/* What was told, one word after the other. */
struct told {
    char text[1024];
    /* By a thread of the worker. */
    char lost[64];
};

static void add(void *user_data, const char *what, const char *about)
{
    struct told *told = (struct told *)user_data;
    size_t length = strlen(told->text);
    snprintf(told->text + length, sizeof told->text - length, "%s(%s) ", what, about);
}

static void on_start(void *user_data, const char *worker)
{
    add(user_data, "start", strchr(worker, ':') != NULL ? "named" : "nameless");
}

static void before_perform(void *user_data, const mh_run *run)
{
    CHECK(run->outcome == NULL && run->message == NULL && run->run_ms == 0);
    CHECK_TEXT(run->queue, "q");
    CHECK_NUMBER(run->attempt, 1);
    add(user_data, "before", run->kind);
}

static void after_perform(void *user_data, const mh_run *run)
{
    add(user_data, "after", run->outcome);
}

static void on_failure(void *user_data, const mh_run *run)
{
    add(user_data, "failure", run->message);
}

static void on_lock_lost(void *user_data, const char *jid, const char *token, const char *reason)
{
    struct told *told = (struct told *)user_data;
    CHECK(token[0] != '\0');
    snprintf(told->lost, sizeof told->lost, "%s %s", jid, reason);
}

static void on_stop(void *user_data, const char *worker)
{
    (void)worker;
    add(user_data, "stop", "once");
}

static void before_put(void *user_data, const char *jobs_json)
{
    CHECK_CONTAINS(jobs_json, "\"queue\":\"q\"");
    add(user_data, "put", strstr(jobs_json, "\"priority\":5") != NULL ? "urgent" : "plain");
}

static void after_put(void *user_data, const char *jobs_json, const char *reply_json)
{
    CHECK_CONTAINS(jobs_json, "\"kind\":");
    CHECK_CONTAINS(reply_json, "\"outcome\":\"put\"");
    add(user_data, "placed", "yes");
}

static void a_worker_tells_its_hooks(void)
{
    struct told told = {"", ""};
    mh_worker_hooks hooks;
    memset(&hooks, 0, sizeof hooks);
    hooks.user_data = &told;
    hooks.on_start = on_start;
    hooks.before_perform = before_perform;
    hooks.after_perform = after_perform;
    hooks.on_failure = on_failure;
    hooks.on_lock_lost = on_lock_lost;
    hooks.on_stop = on_stop;
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    CHECK_INVALID(mh_worker_hook(NULL, &hooks, &failure), "worker is NULL");
    CHECK_INVALID(mh_worker_hook(worker, NULL, &failure), "hooks is NULL");
    CHECK_OK(mh_worker_hook(worker, &hooks, &failure));
    mh_string_free(put(client, "q", "good", NULL, NULL));
    mh_job *job = next(worker);
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    mh_job_free(job);
    mh_string_free(put(client, "q", "bad", NULL, NULL));
    job = next(worker);
    CHECK_OK(mh_job_fail(job, "g", "why", NULL, &failure));
    mh_job_free(job);
    mh_string_free(put(client, "q", "gone", "1", "{\"jid\":\"one\"}"));
    job = next(worker);
    mh_string_free(put(client, "r", "gone", "2", "{\"jid\":\"one\",\"on_conflict\":\"move\"}"));
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_job_free(job);
    mh_worker_free(worker);
    mh_client_free(client);
    CHECK_TEXT(told.text, "start(named) before(good) after(complete) before(bad) after(fail) failure(why) before(gone) "
                          "after(complete) stop(once) ");
    CHECK_TEXT(told.lost, "one replaced");
}

static void a_client_tells_its_hooks(void)
{
    struct told told = {"", ""};
    mh_client_hooks hooks = {&told, before_put, after_put};
    mh_client *client = open_client();
    CHECK_INVALID(mh_client_hook(NULL, &hooks, &failure), "client is NULL");
    CHECK_INVALID(mh_client_hook(client, NULL, &failure), "hooks is NULL");
    CHECK_OK(mh_client_hook(client, &hooks, &failure));
    mh_string_free(put(client, "q", "k", "[1]", "{\"priority\":5}"));
    CHECK_OK(mh_queue_put_many(client, "[{\"queue\":\"q\",\"kind\":\"k\"}]", NULL, &failure));
    CHECK_INVALID(mh_queue_put(client, "q", "k", NULL, "{\"priority\":5000}", NULL, NULL, &failure), "priority");
    CHECK_TEXT(told.text, "put(urgent) placed(yes) put(plain) placed(yes) put(urgent) ");
    mh_client_free(client);
}

const struct test hook_tests[] = {
    {"a worker tells its hooks", a_worker_tells_its_hooks},
    {"a client tells its hooks", a_client_tells_its_hooks},
    END_OF_TESTS,
};
