/* What tests of programs need: jobs without a server, and queues that are drained. */
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
    CHECK(mh_job_outcome_json(job) == NULL && mh_job_lost(job) == NULL && mh_job_interrupted(job) == NULL);
    mh_job_free(job); /* nothing need have ended it */

    CHECK_OK(mh_job_build("k", "[1.50]",
                          "{\"jid\":\"j\",\"queue\":\"q\",\"priority\":-3,\"retries\":2,\"remaining\":1,\"tags\":[\"t\"],"
                          "\"route\":[\"r\"],\"throttles\":[\"l\"],\"headers\":{\"a\":\"b\"},\"parent\":\"p\",\"tracked\":true}",
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

const struct test testing_tests[] = {
    {"jobs are built without a server", jobs_are_built_without_a_server},
    {"what no job could have is refused", what_no_job_could_have_is_refused},
    {"what may run is drained", what_may_run_is_drained},
    END_OF_TESTS,
};
