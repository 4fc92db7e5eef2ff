/* How the run of a job ends, for jobs that were reserved without a worker. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

static void nothing_is_known_of_no_job(void)
{
    CHECK(mh_job_jid(NULL) == NULL);
    CHECK(mh_job_kind(NULL) == NULL);
    CHECK(mh_job_queue(NULL) == NULL);
    CHECK(mh_job_data(NULL) == NULL);
    CHECK(mh_job_token(NULL) == NULL);
    CHECK(mh_job_tags_json(NULL) == NULL);
    CHECK(mh_job_route_json(NULL) == NULL);
    CHECK(mh_job_lost(NULL) == NULL);
    CHECK_NUMBER(mh_job_data_length(NULL), 0);
    CHECK_NUMBER(mh_job_priority(NULL), 0);
    CHECK_NUMBER(mh_job_retries(NULL), 0);
    CHECK_NUMBER(mh_job_remaining(NULL), 0);
    CHECK_NUMBER(mh_job_lease_ms(NULL), 0);
    CHECK_NUMBER(mh_job_put_at_ms(NULL), 0);
    mh_job_free(NULL);
}

static void completed_once(void)
{
    mh_client *client = open_client();
    char *jid = put(client, "q", "work", "[]", NULL);
    mh_job *job = reserve(client, "q");
    CHECK_OK(mh_job_complete(job, "{\"pages\": 3}", NULL, &failure));
    check_job(client, jid, "\"state\":\"completed\"");
    check_job(client, jid, "{\"pages\": 3}");
    CHECK(mh_job_lost(job) == NULL);
    CHECK_ERROR(mh_job_complete(job, NULL, NULL, &failure), MH_CODE_LOCK_LOST, "finished");
    CHECK_TEXT(mh_job_lost(job), "finished");
    CHECK_TEXT(mh_job_jid(job), jid);
    mh_job_free(job);
    mh_string_free(jid);
    mh_client_free(client);
}

static void completed_into_the_next_queue(void)
{
    mh_client *client = open_client();
    char *jid = put(client, "q", "work", "1", "{\"route\":[\"r\"]}");
    mh_job *job = reserve(client, "q");
    CHECK_OK(mh_job_complete(job, NULL, "{\"data\":[2,  3]}", &failure));
    mh_job_free(job);
    job = reserve(client, "r");
    CHECK_TEXT(mh_job_jid(job), jid);
    CHECK_TEXT(mh_job_data(job), "[2,  3]");
    CHECK_TEXT(mh_job_route_json(job), "[]");
    CHECK_OK(mh_job_complete(job, NULL, "{\"queue\":\"s\",\"delay_ms\":3600000}", &failure));
    check_count(client, "s", "scheduled", 1);
    mh_job_free(job);
    mh_string_free(jid);
    mh_client_free(client);
}

static void failed_into_its_group(void)
{
    mh_client *client = open_client();
    char *jid = put(client, "q", "work", NULL, NULL);
    mh_job *job = reserve(client, "q");
    CHECK_OK(mh_job_fail(job, "bad-input", "no \"pages\"", "at page.c:7", &failure));
    check_job(client, jid, "\"state\":\"failed\"");
    check_job(client, jid, "\"group\":\"bad-input\"");
    check_job(client, jid, "no \\\"pages\\\"");
    check_job(client, jid, "at page.c:7");
    mh_job_free(job);
    mh_string_free(jid);
    mh_client_free(client);
}

static void retried_snoozed_released(void)
{
    mh_client *client = open_client();
    mh_string_free(put(client, "q", "work", NULL, "{\"retries\":2}"));
    mh_job *job = reserve(client, "q");
    CHECK_OK(mh_job_release(job, &failure));
    mh_job_free(job);
    job = reserve(client, "q");
    CHECK_NUMBER(mh_job_remaining(job), 2);
    CHECK_OK(mh_job_retry(job, 0, NULL, NULL, NULL, &failure));
    mh_job_free(job);
    job = reserve(client, "q");
    CHECK_NUMBER(mh_job_remaining(job), 1);
    CHECK_OK(mh_job_snooze(job, 3600000, &failure));
    check_count(client, "q", "scheduled", 1);
    mh_job_free(job);
    mh_client_free(client);
}

static void a_retry_says_why(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    for (int held = 0; held < 2; held++) {
        char *jid = put(client, "q", "work", NULL, "{\"retries\":0}");
        mh_job *job = held ? next(worker) : reserve(client, "q");
        CHECK_OK(mh_job_retry(job, 0, "busy", "the printer is in use", "page.c:7", &failure));
        if (held)
            CHECK_OK(mh_worker_stop(worker, -1, &failure));
        check_job(client, jid, "\"state\":\"failed\"");
        check_job(client, jid, "\"group\":\"busy\"");
        check_job(client, jid, "the printer is in use");
        check_job(client, jid, "page.c:7");
        mh_job_free(job);
        mh_string_free(jid);
    }
    mh_worker_free(worker);
    mh_client_free(client);
}

static void a_delay_before_no_queue_is_nothing(void)
{
    mh_client *client = open_client();
    char *jid = put(client, "q", "work", NULL, NULL);
    mh_job *job = reserve(client, "q");
    CHECK_OK(mh_job_complete(job, "7", "{\"delay_ms\":3600000}", &failure));
    check_job(client, jid, "\"state\":\"completed\"");
    mh_job_free(job);
    mh_string_free(jid);
    mh_client_free(client);
}

static void an_error_is_a_retry_until_none_is_left(void)
{
    mh_client *client = open_client();
    char *jid = put(client, "q", "work", NULL, "{\"retries\":0}");
    mh_job *job = reserve(client, "q");
    CHECK_OK(mh_job_error(job, "ENOENT", "no such file", NULL, &failure));
    check_job(client, jid, "\"state\":\"failed\"");
    check_job(client, jid, "\"group\":\"work:ENOENT\"");
    check_job(client, jid, "no such file");
    mh_job_free(job);
    mh_string_free(jid);

    mh_string_free(put(client, "r", "work", NULL, "{\"retries\":1}"));
    job = reserve(client, "r");
    CHECK_OK(mh_job_error(job, "ENOENT", "no such file", NULL, &failure));
    check_count(client, "r", "scheduled", 1);
    mh_job_free(job);
    mh_client_free(client);
}

static void finish_answers_the_state(void)
{
    static const struct {
        const char *outcome, *state;
    } cases[] = {
        {"{\"complete\":{\"result\":7}}", "completed"},
        {"{\"complete\":{\"queue\":\"next\"}}", "waiting"},
        {"{\"fail\":{\"group\":\"g\"}}", "failed"},
        {"{\"error\":{\"class\":\"E\"}}", "scheduled"},
        {"{\"retry\":{}}", "waiting"},
        {"{\"snooze\":{\"delay_ms\":60000}}", "scheduled"},
        {"{\"release\":{}}", "waiting"},
    };
    mh_client *client = open_client();
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        char queue[16];
        char *state = NULL;
        snprintf(queue, sizeof queue, "q%d", (int)index);
        mh_string_free(put(client, queue, "work", NULL, NULL));
        mh_job *job = reserve(client, queue);
        CHECK_OK(mh_job_finish(job, cases[index].outcome, &state, &failure));
        CHECK_TEXT(state, cases[index].state);
        mh_string_free(state);
        mh_job_free(job);
    }
    mh_string_free(put(client, "q", "work", NULL, NULL));
    mh_job *job = reserve(client, "q");
    CHECK_INVALID(mh_job_finish(job, "{\"unknown_kind\":{}}", NULL, &failure), "for the jobs of a worker");
    mh_job_free(job);
    mh_client_free(client);
}

static void a_heartbeat_renews_the_lease(void)
{
    mh_client *client = open_client();
    mh_string_free(put(client, "q", "work", NULL, NULL));
    mh_job *job = reserve(client, "q");
    uint64_t lease_ms = 0;
    CHECK_OK(mh_job_heartbeat(job, &lease_ms, &failure));
    CHECK_NUMBER(lease_ms, 60000);
    CHECK_OK(mh_job_heartbeat(job, NULL, &failure));
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    CHECK_ERROR(mh_job_heartbeat(job, &lease_ms, &failure), MH_CODE_LOCK_LOST, "finished");
    mh_job_free(job);
    mh_client_free(client);
}

static void who_lost_the_lease_changes_nothing(void)
{
    mh_client *client = open_client();
    mh_string_free(put(client, "q", "work", "\"old\"", "{\"jid\":\"one\"}"));
    mh_job *old = reserve(client, "q");
    mh_string_free(put(client, "q", "work", "\"new\"", "{\"jid\":\"one\",\"on_conflict\":\"move\"}"));
    CHECK_ERROR(mh_job_complete(old, NULL, NULL, &failure), MH_CODE_LOCK_LOST, "replaced");
    CHECK_ERROR(mh_job_fail(old, "g", NULL, NULL, &failure), MH_CODE_LOCK_LOST, "replaced");
    CHECK_ERROR(mh_job_retry(old, 0, NULL, NULL, NULL, &failure), MH_CODE_LOCK_LOST, "replaced");
    CHECK_ERROR(mh_job_snooze(old, 0, &failure), MH_CODE_LOCK_LOST, "replaced");
    CHECK_ERROR(mh_job_release(old, &failure), MH_CODE_LOCK_LOST, "replaced");
    CHECK_ERROR(mh_job_finish(old, "{\"complete\":{}}", NULL, &failure), MH_CODE_LOCK_LOST, "replaced");
    CHECK_TEXT(mh_job_lost(old), "replaced");
    mh_job *job = reserve(client, "q");
    CHECK_TEXT(mh_job_data(job), "\"new\"");
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    mh_job_free(old);
    mh_job_free(job);
    mh_client_free(client);
}

const struct test job_tests[] = {
    {"nothing is known of no job", nothing_is_known_of_no_job},
    {"a job is completed once", completed_once},
    {"a job is completed into the next queue", completed_into_the_next_queue},
    {"a job is failed into its group", failed_into_its_group},
    {"a job is retried, snoozed, released", retried_snoozed_released},
    {"a retry says why", a_retry_says_why},
    {"a delay before no queue is nothing", a_delay_before_no_queue_is_nothing},
    {"an error is a retry until none is left", an_error_is_a_retry_until_none_is_left},
    {"finish answers the state", finish_answers_the_state},
    {"a heartbeat renews the lease", a_heartbeat_renews_the_lease},
    {"who lost the lease changes nothing", who_lost_the_lease_changes_nothing},
    END_OF_TESTS,
};
