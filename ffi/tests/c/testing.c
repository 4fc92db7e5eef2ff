/* What tests of programs need: jobs without a server, queues that are drained, and puts that are recorded or performed at once. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

static void jobs_are_built_without_a_server(void)
{
    mh_job *job = NULL;
    CHECK_OK(mh_job_build("k", NULL, NULL, &job, &failure));
    CHECK_TEXT(mh_job_jid(job), "built");
    CHECK_TEXT(mh_job_kind(job), "k");
    CHECK_TEXT(mh_job_queue(job), "built");
    CHECK_TEXT(mh_job_data(job), "null");
    CHECK_NUMBER(mh_job_retries(job), 5);
    CHECK_NUMBER(mh_job_timeout_ms(job), 0);
    CHECK(mh_job_backoff_json(job) == NULL);
    CHECK(mh_job_outcome_json(job) == NULL && mh_job_lost(job) == NULL && mh_job_interrupted(job) == NULL);
    mh_job_free(job); /* nothing need have ended it */

    CHECK_OK(mh_job_build("k", "[1.50]",
                          "{\"jid\":\"j\",\"queue\":\"q\",\"priority\":-3,\"retries\":2,\"remaining\":1,\"tags\":[\"t\"],"
                          "\"route\":[\"r\"],\"throttles\":[\"l\"],\"headers\":{\"a\":\"b\"},\"parent\":\"p\",\"tracked\":true,"
                          "\"timeout_ms\":9,\"backoff_ms\":{\"list\":[1],\"jitter\":0.5}}",
                          &job, &failure));
    CHECK_TEXT(mh_job_jid(job), "j");
    CHECK_TEXT(mh_job_queue(job), "q");
    CHECK_TEXT(mh_job_data(job), "[1.50]");
    CHECK_NUMBER(mh_job_priority(job), -3);
    CHECK_NUMBER(mh_job_retries(job), 2);
    CHECK_NUMBER(mh_job_remaining(job), 1);
    CHECK_TEXT(mh_job_tags_json(job), "[\"t\"]");
    CHECK_TEXT(mh_job_route_json(job), "[\"r\"]");
    CHECK_TEXT(mh_job_throttles_json(job), "[\"l\"]");
    CHECK_TEXT(mh_job_headers_json(job), "{\"a\":\"b\"}");
    CHECK_TEXT(mh_job_parent(job), "p");
    CHECK_NUMBER(mh_job_timeout_ms(job), 9);
    CHECK_TEXT(mh_job_backoff_json(job), "{\"jitter\":0.5,\"list\":[1]}");
    CHECK(mh_job_tracked(job));
    uint64_t lease_ms = 1;
    CHECK_OK(mh_job_heartbeat(job, &lease_ms, &failure));
    CHECK_NUMBER(lease_ms, 0);
    CHECK_INVALID(mh_job_complete(job, "no", NULL, &failure), "result");
    CHECK_OK(mh_job_complete(job, "[1.50]", "{\"queue\":\"next\"}", &failure));
    CHECK_TEXT(mh_job_outcome_json(job), "{\"complete\":{\"result\":[1.50],\"queue\":\"next\"}}");
    CHECK_ERROR(mh_job_fail(job, "g", NULL, NULL, &failure), MH_CODE_WRONG_STATE, "ended before");
    mh_job_free(job);

    CHECK_OK(mh_job_build("k", NULL, NULL, &job, &failure));
    char *state = NULL;
    CHECK_OK(mh_job_finish(job, "{\"snooze\":{\"delay_ms\":5}}", &state, &failure));
    CHECK_TEXT(state, "built");
    CHECK_TEXT(mh_job_outcome_json(job), "{\"snooze\":{\"delay_ms\":5}}");
    mh_string_free(state);
    mh_job_free(job);
    CHECK(mh_job_outcome_json(NULL) == NULL);
}

static void what_no_job_could_have_is_refused(void)
{
    mh_job *job = UNTOUCHED(mh_job);
    CHECK_INVALID(mh_job_build(NULL, NULL, NULL, &job, &failure), "kind is NULL");
    CHECK_INVALID(mh_job_build("", NULL, NULL, &job, &failure), "kind is empty");
    CHECK_INVALID(mh_job_build("k", "no", NULL, &job, &failure), "data_json is not JSON");
    CHECK_INVALID(mh_job_build("k", NULL, "[]", &job, &failure), "options_json must be a JSON object");
    CHECK_INVALID(mh_job_build("k", NULL, "{\"delay_ms\":1}", &job, &failure), "options.delay_ms is unknown");
    CHECK_INVALID(mh_job_build("k", NULL, "{\"retries\":256}", &job, &failure), "retries 256 is outside 0..255");
    CHECK_INVALID(mh_job_build("k", NULL, NULL, NULL, &failure), "out_job is NULL");
    CHECK(job == UNTOUCHED(mh_job));
}

struct seen {
    mh_client *client;
    char kinds[64];
};

static void perform(mh_job *job, void *user_data)
{
    struct seen *seen = (struct seen *)user_data;
    size_t length = strlen(seen->kinds);
    snprintf(seen->kinds + length, sizeof seen->kinds - length, "%s ", mh_job_kind(job));
    if (strcmp(mh_job_kind(job), "forgets") == 0)
        return;
    if (strcmp(mh_job_kind(job), "puts") == 0)
        mh_queue_put(seen->client, "q", "more", NULL, NULL, NULL, NULL, NULL);
    mh_job_complete(job, "7", NULL, NULL);
}

static void what_may_run_is_drained(void)
{
    struct seen seen = {open_client(), ""};
    mh_worker *worker = open_worker(seen.client, "q", 1);
    mh_string_free(put(seen.client, "q", "puts", NULL, "{\"jid\":\"puts\"}"));
    mh_string_free(put(seen.client, "q", "waits", NULL, "{\"jid\":\"waits\",\"dependencies\":[\"puts\"]}"));
    mh_string_free(put(seen.client, "q", "forgets", NULL, "{\"jid\":\"forgets\"}"));
    mh_string_free(put(seen.client, "q", "late", NULL, "{\"jid\":\"late\",\"delay_ms\":3600000}"));
    size_t count = 0;
    CHECK_OK(mh_worker_drain(worker, perform, &seen, &count, &failure));
    CHECK_NUMBER(count, 4);
    CHECK_TEXT(seen.kinds, "puts forgets more waits ");
    check_job(seen.client, "puts", "\"state\":\"completed\"");
    check_job(seen.client, "puts", "\"result\":7");
    check_job(seen.client, "waits", "\"state\":\"completed\"");
    check_job(seen.client, "forgets", "\"group\":\"forgets:unended\"");
    check_job(seen.client, "late", "\"state\":\"scheduled\"");
    CHECK_OK(mh_worker_drain(worker, perform, &seen, NULL, &failure));
    CHECK_TEXT(seen.kinds, "puts forgets more waits ");
    CHECK_NUMBER(mh_worker_running(worker), 0);

    CHECK_INVALID(mh_worker_drain(worker, NULL, NULL, NULL, &failure), "perform is NULL");
    CHECK_INVALID(mh_worker_drain(NULL, perform, NULL, NULL, &failure), "worker is NULL");
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    CHECK_ERROR(mh_worker_drain(worker, perform, &seen, &count, &failure), MH_CODE_CLOSED, "stopped");
    CHECK_NUMBER(count, 4);
    mh_worker_free(worker);
    mh_client_free(seen.client);
}

static void count_puts(void *user_data, const char *jobs_json)
{
    CHECK_CONTAINS(jobs_json, "\"kind\":");
    ++*(int *)user_data;
}

static void puts_are_recorded_and_go_no_further(void)
{
    int told = 0;
    mh_client_hooks hooks = {&told, count_puts, NULL};
    mh_client *client = NULL;
    char *jid = NULL, *puts = NULL;
    size_t count = 7;
    mh_placed placed = MH_PLACED_KEPT;
    CHECK_OK(mh_client_open("unix:///nowhere/redis.sock", NULL, &client, &failure));
    CHECK_ERROR(mh_client_recorded_puts(client, NULL, NULL, &puts, &count, &failure), MH_CODE_WRONG_STATE, "no puts are recorded");
    CHECK_OK(mh_client_hook(client, &hooks, &failure));
    CHECK_OK(mh_client_define(client, "welcome", "{\"queue\":\"mail\",\"retries\":3}", &failure));
    CHECK_OK(mh_client_record_puts(client, &failure));
    CHECK_OK(mh_client_recorded_puts(client, NULL, NULL, &puts, &count, &failure));
    CHECK_TEXT(puts, "[]");
    CHECK_NUMBER(count, 0);
    mh_string_free(puts);
    CHECK_ERROR(mh_client_assert_put(client, NULL, NULL, &failure), MH_CODE_JOB_NOT_FOUND, "no job was put, but nothing");

    CHECK_OK(mh_queue_put(client, NULL, "welcome", "{\"a\": 1, \"b\": [null]}", "{\"priority\":10}", &jid, &placed, &failure));
    CHECK_NUMBER(placed, MH_PLACED_PUT);
    CHECK_OK(mh_queue_put_many(client, "[{\"queue\":\"q\",\"kind\":\"other\",\"jid\":\"o\"},{\"kind\":\"welcome\"}]", NULL, &failure));
    CHECK_INVALID(mh_queue_put(client, "q", "welcome", NULL, "{\"priority\":128}", NULL, NULL, &failure), "priority 128 is outside");
    CHECK_NUMBER(told, 3);

    CHECK_OK(mh_client_recorded_puts(client, "welcome", NULL, NULL, &count, &failure));
    CHECK_NUMBER(count, 2);
    CHECK_OK(mh_client_recorded_puts(client, NULL, "{\"retries\":5}", &puts, NULL, &failure));
    CHECK_TEXT(puts, "[{\"jid\":\"o\",\"queue\":\"q\",\"kind\":\"other\",\"data\":null,\"priority\":0,\"delay_ms\":0,\"retries\":5,"
                     "\"tags\":[],\"route\":[],\"throttles\":[],\"headers\":{},\"timeout_ms\":null,\"backoff_ms\":null,"
                     "\"dependencies\":[],\"missing\":\"satisfied\","
                     "\"on_conflict\":\"replace\"}]");
    mh_string_free(puts);
    CHECK_OK(mh_client_recorded_puts(client, "welcome", "{\"data\":{\"b\":[null],\"a\":1}}", &puts, &count, &failure));
    CHECK_NUMBER(count, 1);
    CHECK_CONTAINS(puts, jid);
    CHECK_CONTAINS(puts, "\"data\":{\"a\": 1, \"b\": [null]}");
    mh_string_free(puts);

    CHECK_OK(mh_client_assert_put(client, "welcome", "{\"queue\":\"mail\",\"priority\":10,\"retries\":3,\"tags\":null}", &failure));
    CHECK_OK(mh_client_assert_put(client, "welcome", "{\"data\":null}", &failure));
    CHECK_OK(mh_queue_put(client, "q", "late", NULL, "{\"backoff_ms\":{\"first\":1000},\"timeout_ms\":7}", NULL, NULL, &failure));
    CHECK_OK(mh_client_assert_put(client, "late", "{\"backoff_ms\":{\"first\":1000},\"timeout_ms\":7}", &failure));
    CHECK_OK(mh_client_assert_not_put(client, "late", "{\"backoff_ms\":{\"first\":1001}}", &failure));
    CHECK_OK(mh_client_assert_not_put(client, "welcome", "{\"queue\":\"q\"}", &failure));
    CHECK_OK(mh_client_assert_not_put(client, "goodbye", NULL, &failure));
    CHECK_ERROR(mh_client_assert_put(client, "welcome", "{\"queue\":\"q\"}", &failure), MH_CODE_JOB_NOT_FOUND,
                "no job of kind welcome with {\"queue\":\"q\"} was put, but {\"jid\":");
    CHECK_ERROR(mh_client_assert_not_put(client, "other", NULL, &failure), MH_CODE_JOB_EXISTS,
                "a job of kind other was put: {\"jid\":\"o\"");
    CHECK_INVALID(mh_client_assert_put(client, "welcome", "{\"prio\":10}", &failure), "expected_json.prio is unknown");
    CHECK_INVALID(mh_client_assert_put(client, "welcome", "{\"queue\":7}", &failure), "expected_json.queue 7 is not text");
    CHECK_INVALID(mh_client_assert_not_put(client, "welcome", "[]", &failure), "expected_json is not a JSON object");

    /* What was recorded stays when it ends, until it begins anew. */
    CHECK_OK(mh_client_send_puts(client, &failure));
    CHECK_OK(mh_client_assert_put(client, "other", NULL, &failure));
    CHECK_OK(mh_client_record_puts(client, &failure));
    CHECK_OK(mh_client_assert_not_put(client, NULL, NULL, &failure));
    mh_string_free(jid);
    mh_client_free(client);
}

static void puts_are_performed_at_once(void)
{
    struct seen seen = {open_client(), ""};
    mh_worker *worker = open_worker(seen.client, "q", 1);
    CHECK_INVALID(mh_client_perform_inline(NULL, worker, perform, &seen, &failure), "client is NULL");
    CHECK_INVALID(mh_client_perform_inline(seen.client, NULL, perform, &seen, &failure), "worker is NULL");
    CHECK_INVALID(mh_client_perform_inline(seen.client, worker, NULL, &seen, &failure), "perform is NULL");
    CHECK_OK(mh_client_perform_inline(seen.client, worker, perform, &seen, &failure));
    mh_string_free(put(seen.client, "q", "alone", NULL, "{\"jid\":\"alone\"}"));
    CHECK_TEXT(seen.kinds, "alone ");
    check_job(seen.client, "alone", "\"state\":\"completed\"");
    /* One that puts itself: that is performed within its own put. */
    mh_string_free(put(seen.client, "q", "puts", NULL, NULL));
    CHECK_TEXT(seen.kinds, "alone puts more ");
    CHECK_OK(mh_queue_put_many(seen.client, "[{\"queue\":\"q\",\"kind\":\"a\"},{\"queue\":\"q\",\"kind\":\"b\"},"
                                            "{\"queue\":\"elsewhere\",\"kind\":\"c\"}]", NULL, &failure));
    CHECK_TEXT(seen.kinds, "alone puts more a b ");
    check_count(seen.client, "elsewhere", "waiting", 1);

    CHECK_OK(mh_client_send_puts(seen.client, &failure));
    mh_string_free(put(seen.client, "q", "waits", NULL, NULL));
    check_count(seen.client, "q", "waiting", 1);
    CHECK_TEXT(seen.kinds, "alone puts more a b ");

    CHECK_OK(mh_client_perform_inline(seen.client, worker, perform, &seen, &failure));
    mh_worker_free(worker);
    CHECK_ERROR(mh_queue_put(seen.client, "q", "late", NULL, NULL, NULL, NULL, &failure), MH_CODE_CLOSED, "stopped");
    check_count(seen.client, "q", "waiting", 2);
    mh_client_free(seen.client);
}

const struct test testing_tests[] = {
    {"jobs are built without a server", jobs_are_built_without_a_server},
    {"what no job could have is refused", what_no_job_could_have_is_refused},
    {"what may run is drained", what_may_run_is_drained},
    {"puts are recorded and go no further", puts_are_recorded_and_go_no_further},
    {"puts are performed at once", puts_are_performed_at_once},
    END_OF_TESTS,
};
