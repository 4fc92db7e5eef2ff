/* Putting jobs, and taking them without a worker. */
#include "harness.h"

#include <string.h>

static void data_comes_back_byte_for_byte(void)
{
    const char *data = "{ \"b\": 1.0,\"a\":[1,  12345678901234567890], \"é😀\":\"\\u0000\" }";
    mh_client *client = open_client();
    char *jid = put(client, "q", "work", data, NULL);
    CHECK_NUMBER(strlen(jid), 32);
    mh_job *job = reserve(client, "q");
    CHECK_TEXT(mh_job_jid(job), jid);
    CHECK_TEXT(mh_job_data(job), data);
    CHECK_NUMBER(mh_job_data_length(job), strlen(data));
    CHECK_OK(mh_job_complete(job, data, NULL, &failure));
    check_job(client, jid, data);
    mh_job_free(job);
    mh_string_free(jid);
    mh_client_free(client);
}

static void options_reach_the_engine(void)
{
    mh_client *client = open_client();
    char *jid = put(client, "q", "work", NULL,
                    "{\"jid\":\"my own/é\",\"priority\":-7,\"retries\":3,\"tags\":[\"a\",\"b\"],"
                    "\"route\":[\"r\",\"s\"],\"throttles\":[\"t\"],\"dependencies\":[\"unknown\"]}");
    CHECK_TEXT(jid, "my own/é");
    mh_string_free(jid);
    mh_job *job = reserve(client, "q");
    CHECK_TEXT(mh_job_jid(job), "my own/é");
    CHECK_TEXT(mh_job_kind(job), "work");
    CHECK_TEXT(mh_job_queue(job), "q");
    CHECK_TEXT(mh_job_data(job), "null");
    CHECK_NUMBER(mh_job_priority(job), -7);
    CHECK_NUMBER(mh_job_retries(job), 3);
    CHECK_NUMBER(mh_job_remaining(job), 3);
    CHECK_TEXT(mh_job_tags_json(job), "[\"a\",\"b\"]");
    CHECK_TEXT(mh_job_route_json(job), "[\"r\",\"s\"]");
    CHECK_TEXT(mh_job_throttles_json(job), "[\"t\"]");
    CHECK(mh_job_parent(job) == NULL && !mh_job_tracked(job));
    CHECK_NUMBER(mh_job_lease_ms(job), 60000);
    CHECK(mh_job_put_at_ms(job) > 1600000000000u);
    CHECK(strlen(mh_job_token(job)) > 10);
    CHECK(mh_job_lost(job) == NULL);
    mh_job_free(job);

    mh_string_free(put(client, "later", "work", NULL, "{\"delay_ms\":3600000}"));
    check_count(client, "later", "scheduled", 1);
    check_count(client, "later", "waiting", 0);
    mh_client_free(client);
}

static void a_larger_priority_comes_first(void)
{
    mh_client *client = open_client();
    CHECK_OK(mh_queue_put(client, "q", "work", "1", NULL, NULL, NULL, &failure));
    CHECK_OK(mh_queue_put(client, "q", "work", "2", "{\"priority\":127}", NULL, NULL, &failure));
    CHECK_OK(mh_queue_put(client, "q", "work", "3", "", NULL, NULL, &failure));
    mh_job *jobs[8];
    size_t count = 0;
    CHECK_OK(mh_queue_reserve(client, "q", "me", 8, jobs, &count, &failure));
    CHECK_NUMBER(count, 3);
    CHECK_TEXT(mh_job_data(jobs[0]), "2");
    CHECK_TEXT(mh_job_data(jobs[1]), "1");
    CHECK_TEXT(mh_job_data(jobs[2]), "3");
    check_job(client, mh_job_jid(jobs[0]), "\"worker\":\"me\"");
    for (size_t index = 0; index < count; index++)
        mh_job_free(jobs[index]);
    mh_client_free(client);
}

static void a_put_tells_what_became_of_it(void)
{
    static const struct {
        const char *options;
        mh_placed placed;
    } cases[] = {
        {"{\"jid\":\"one\"}", MH_PLACED_PUT},
        {"{\"jid\":\"one\"}", MH_PLACED_REPLACED},
        {"{\"jid\":\"one\",\"on_conflict\":\"keep\"}", MH_PLACED_KEPT},
    };
    mh_client *client = open_client();
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        mh_placed placed = MH_PLACED_PUT;
        char *jid = NULL;
        CHECK_OK(mh_queue_put(client, "q", "work", NULL, cases[index].options, &jid, &placed, &failure));
        CHECK_TEXT(jid, "one");
        CHECK_NUMBER(placed, cases[index].placed);
        mh_string_free(jid);
    }
    check_count(client, "q", "waiting", 1);
    mh_client_free(client);
}

static void an_existing_job_may_be_rejected(void)
{
    mh_client *client = open_client();
    mh_string_free(put(client, "q", "work", "1", "{\"jid\":\"one\"}"));
    char *jid = NULL;
    mh_placed placed = MH_PLACED_KEPT;
    const char *options = "{\"jid\":\"one\",\"on_conflict\":\"reject\"}";
    CHECK_NUMBER(mh_queue_put(client, "q", "work", "2", options, &jid, &placed, &failure), MH_CODE_JOB_EXISTS);
    CHECK(jid == NULL);
    CHECK_NUMBER(placed, MH_PLACED_KEPT);
    CHECK_TEXT(mh_error_jid(failure), "one");
    CHECK_TEXT(mh_error_operation(failure), "queue_put");
    mh_error_free(failure);
    failure = NULL;
    mh_job *job = reserve(client, "q");
    CHECK_TEXT(mh_job_data(job), "1");
    mh_job_free(job);
    mh_client_free(client);
}

static void many_are_put_at_once(void)
{
    mh_client *client = open_client();
    char *reply = NULL;
    CHECK_OK(mh_queue_put_many(client,
                               "[{\"queue\":\"q\",\"kind\":\"work\",\"jid\":\"a\"},"
                               "{\"queue\":\"r\",\"kind\":\"work\",\"jid\":\"b\",\"data\":[1.50]},"
                               "{\"queue\":\"q\",\"kind\":\"work\",\"jid\":\"a\",\"on_conflict\":\"keep\"}]",
                               &reply, &failure));
    CHECK_TEXT(reply, "[{\"jid\":\"a\",\"outcome\":\"put\",\"satisfied\":[]},"
                      "{\"jid\":\"b\",\"outcome\":\"put\",\"satisfied\":[]},"
                      "{\"jid\":\"a\",\"outcome\":\"kept\",\"satisfied\":[]}]");
    mh_string_free(reply);
    check_count(client, "q", "waiting", 1);
    mh_job *job = reserve(client, "r");
    CHECK_TEXT(mh_job_data(job), "[1.50]");
    mh_job_free(job);
    mh_client_free(client);
}

static void an_empty_queue_gives_none(void)
{
    mh_client *client = open_client();
    mh_job *job = NULL;
    size_t count = 9;
    CHECK_OK(mh_queue_reserve(client, "q", NULL, 1, &job, &count, &failure));
    CHECK_NUMBER(count, 0);
    CHECK(job == NULL);
    mh_client_free(client);
}

static void dependencies_hold_a_job_back(void)
{
    mh_client *client = open_client();
    char *jid = NULL;
    mh_string_free(put(client, "q", "work", NULL, "{\"jid\":\"first\"}"));
    mh_string_free(put(client, "q", "work", NULL, "{\"jid\":\"second\",\"dependencies\":[\"first\"]}"));
    check_count(client, "q", "blocked", 1);
    CHECK_ERROR(mh_queue_put(client, "q", "work", NULL, "{\"dependencies\":[\"none\"],\"missing\":\"reject\"}", &jid, NULL,
                             &failure),
                MH_CODE_UNKNOWN_DEPENDENCY, "none");
    CHECK_ERROR(mh_queue_put(client, "q", "work", NULL, "{\"jid\":\"first\",\"dependencies\":[\"second\"]}", &jid, NULL,
                             &failure),
                MH_CODE_CYCLE, "first");
    CHECK(jid == NULL);
    mh_job *job = reserve(client, "q");
    CHECK_TEXT(mh_job_jid(job), "first");
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    mh_job_free(job);
    job = reserve(client, "q");
    CHECK_TEXT(mh_job_jid(job), "second");
    CHECK_OK(mh_job_complete(job, NULL, "{\"queue\":\"r\",\"dependencies\":[\"first\"]}", &failure));
    check_count(client, "r", "waiting", 1);
    mh_job_free(job);
    char *reply = NULL;
    const char *jobs = "[{\"queue\":\"q\",\"kind\":\"work\",\"jid\":\"third\",\"dependencies\":[\"first\"]}]";
    CHECK_OK(mh_queue_put_many(client, jobs, &reply, &failure));
    CHECK_TEXT(reply, "[{\"jid\":\"third\",\"outcome\":\"put\",\"satisfied\":[\"first\"]}]");
    mh_string_free(reply);
    mh_client_free(client);
}

const struct test queue_tests[] = {
    {"data and result come back byte for byte", data_comes_back_byte_for_byte},
    {"options reach the engine", options_reach_the_engine},
    {"a larger priority comes first", a_larger_priority_comes_first},
    {"a put tells what became of it", a_put_tells_what_became_of_it},
    {"an existing job may be rejected", an_existing_job_may_be_rejected},
    {"many are put at once", many_are_put_at_once},
    {"an empty queue gives none", an_empty_queue_gives_none},
    {"dependencies hold a job back", dependencies_hold_a_job_back},
    END_OF_TESTS,
};
