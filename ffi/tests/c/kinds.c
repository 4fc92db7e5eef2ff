/* Kinds: the defaults of puts and runs, said once. */
#include "harness.h"

#include <stdio.h>

static const char *const WELCOME = "{\"queue\":\"q\",\"priority\":3,\"retries\":2,\"tags\":[\"mail\"],\"route\":[\"r\"],"
                                   "\"throttles\":[\"t\"],\"headers\":{\"from\":\"kind\"}}";

static void puts_have_the_defaults_of_their_kind(void)
{
    mh_client *client = open_client();
    CHECK_OK(mh_client_define(client, "welcome", WELCOME, &failure));
    mh_string_free(put(client, NULL, "welcome", "[1.50]", "{\"jid\":\"plain\"}"));
    check_job(client, "plain", "\"queue\":\"q\"");
    check_job(client, "plain", "\"priority\":3");
    check_job(client, "plain", "\"headers\":{\"from\":\"kind\"}");
    mh_job *job = reserve(client, "q");
    CHECK_TEXT(mh_job_data(job), "[1.50]");
    CHECK_NUMBER(mh_job_retries(job), 2);
    CHECK_TEXT(mh_job_tags_json(job), "[\"mail\"]");
    CHECK_TEXT(mh_job_route_json(job), "[\"r\"]");
    CHECK_TEXT(mh_job_throttles_json(job), "[\"t\"]");
    CHECK_OK(mh_job_release(job, &failure));
    mh_job_free(job);

    /* What a put says itself counts. */
    mh_string_free(put(client, "other", "welcome", NULL, "{\"priority\":0,\"tags\":[],\"route\":[],\"retries\":null}"));
    job = reserve(client, "other");
    CHECK_NUMBER(mh_job_priority(job), 0);
    CHECK_TEXT(mh_job_tags_json(job), "[]");
    CHECK_TEXT(mh_job_route_json(job), "[]");
    CHECK_NUMBER(mh_job_retries(job), 2);
    mh_job_free(job);

    /* Other kinds, and other clients, know nothing of it. */
    mh_client *stranger = open_client_again(client, 60000);
    char *jid = UNTOUCHED(char);
    CHECK_INVALID(mh_queue_put(client, NULL, "other", NULL, NULL, &jid, NULL, &failure),
                  "queue is NULL, and no default is defined for other");
    CHECK_INVALID(mh_queue_put(stranger, NULL, "welcome", NULL, NULL, &jid, NULL, &failure), "queue is NULL");
    CHECK(jid == UNTOUCHED(char));
    mh_client_free(stranger);
    mh_client_free(client);
}

static void many_have_those_of_their_own_kinds(void)
{
    mh_client *client = open_client();
    CHECK_OK(mh_client_define(client, "welcome", "{\"retries\":7}", &failure));
    CHECK_OK(mh_client_define(client, "welcome", WELCOME, &failure)); /* instead of the first */
    CHECK_OK(mh_client_define(client, "plain", NULL, &failure));
    CHECK_OK(mh_queue_put_many(client,
                               "[{\"kind\":\"welcome\",\"jid\":\"a\",\"data\":[1.50]},"
                               "{\"kind\":\"welcome\",\"jid\":\"b\",\"queue\":\"other\",\"retries\":0},"
                               "{\"kind\":\"plain\",\"jid\":\"c\",\"queue\":\"q\"}]",
                               NULL, &failure));
    check_job(client, "a", "\"retries\":2");
    check_job(client, "a", "\"queue\":\"q\"");
    check_job(client, "b", "\"retries\":0");
    check_job(client, "b", "\"queue\":\"other\"");
    check_job(client, "b", "\"priority\":3");
    check_job(client, "c", "\"retries\":5");
    mh_job *job = reserve(client, "q");
    CHECK_TEXT(mh_job_data(job), "[1.50]");
    mh_job_free(job);
    CHECK_INVALID(mh_queue_put_many(client, "[{\"kind\":\"plain\"}]", NULL, &failure), "queue is missing");
    CHECK_INVALID(mh_queue_put_many(client, "{\"kind\":\"plain\"}", NULL, &failure), "jobs_json");
    mh_client_free(client);
}

static void puts_by_the_name_of_the_operation_have_them_too(void)
{
    mh_client *client = open_client();
    char *recurring;
    CHECK_OK(mh_client_define(client, "welcome", WELCOME, &failure));
    mh_string_free(call(client, "queue_put", "{\"jobs\":[{\"kind\":\"welcome\",\"jid\":\"a\",\"retries\":0}]}"));
    check_job(client, "a", "\"priority\":3");
    check_job(client, "a", "\"retries\":0");
    mh_string_free(call(client, "recurring_put",
                        "{\"kind\":\"welcome\",\"jid\":\"daily\",\"interval_ms\":86400000,\"tags\":[]}"));
    recurring = call(client, "recurring_get", "{\"jid\":\"daily\"}");
    CHECK_CONTAINS(recurring, "\"queue\":\"q\"");
    CHECK_CONTAINS(recurring, "\"retries\":2");
    CHECK_CONTAINS(recurring, "\"tags\":[]");
    CHECK_CONTAINS(recurring, "\"throttles\":[\"t\"]");
    mh_string_free(recurring);
    CHECK_INVALID(mh_client_call(client, "recurring_put", "{\"kind\":\"other\",\"jid\":\"b\",\"interval_ms\":1}", NULL, &failure),
                  "queue");
    mh_client_free(client);
}

static void what_no_put_could_have_is_refused(void)
{
    static const struct {
        const char *options;
        const char *message;
    } cases[] = {
        {"{\"retries\":256}", "retries 256 is outside 0..255"},
        {"{\"queue\":7}", "options.queue 7 is not a text"},
        {"{\"jid\":\"a\"}", "options.jid is of one job, not of a kind"},
        {"{\"timeout_ms\":0}", "options.timeout_ms 0 is outside 1"},
        {"{\"backoff_ms\":[]}", "options.backoff_ms is an empty list"},
        {"{\"retry_on\":{\"EIO\":{\"first\":1,\"jitter\":2}}}", "options.retry_on.EIO.jitter 2 is outside 0..1"},
        {"{\"colour\":1}", "options.colour is unknown"},
        {"[]", "options_json"},
    };
    mh_client *client = open_client();
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++)
        CHECK_INVALID(mh_client_define(client, "k", cases[index].options, &failure), cases[index].message);
    CHECK_INVALID(mh_client_define(client, "", NULL, &failure), "kind is empty");
    CHECK_INVALID(mh_client_define(client, NULL, NULL, &failure), "kind is NULL");
    CHECK_INVALID(mh_client_define(NULL, "k", NULL, &failure), "client is NULL");
    mh_client_free(client);
}

/* Waits for the time of a run, of a millisecond, to be over. */
static void outlast(const mh_job *job)
{
    while (mh_job_interrupted(job) == NULL)
        ;
    CHECK_TEXT(mh_job_interrupted(job), "timeout");
}

/* Ends the run of the next job by an error of this class. */
static void perform_badly(mh_worker *worker, const char *class_name)
{
    mh_job *job = next(worker);
    CHECK_OK(mh_job_error(job, class_name, "on purpose", NULL, &failure));
    mh_job_free(job);
}

static void runs_follow_its_rules(void)
{
    mh_client *client = open_client();
    CHECK_OK(mh_client_define(client, "k",
                              "{\"queue\":\"q\",\"timeout_ms\":1,\"discard_on\":[\"ENOENT\"],"
                              "\"retry_on\":{\"EAGAIN\":0},\"backoff_ms\":[3600000]}",
                              &failure));
    mh_worker *worker = open_worker(client, "q", 1);
    mh_string_free(put(client, NULL, "k", NULL, "{\"jid\":\"late\"}"));
    mh_job *job = next(worker);
    outlast(job); /* the time of its kind */
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    mh_job_free(job);

    mh_string_free(put(client, NULL, "k", NULL, "{\"jid\":\"gone\"}"));
    perform_badly(worker, "ENOENT");
    mh_string_free(put(client, NULL, "k", NULL, "{\"jid\":\"again\",\"route\":[]}"));
    perform_badly(worker, "EAGAIN"); /* runs again at once */
    perform_badly(worker, "EIO");    /* and then in an hour */
    mh_string_free(put(client, "q", "other", NULL, "{\"jid\":\"other\",\"retries\":0}"));
    perform_badly(worker, "ENOENT");
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    check_job(client, "gone", "\"state\":\"failed\"");
    check_job(client, "gone", "\"group\":\"k:ENOENT\"");
    check_job(client, "again", "\"state\":\"scheduled\"");
    check_job(client, "again", "\"remaining\":3");
    check_job(client, "other", "\"state\":\"failed\"");
    mh_worker_free(worker);
    mh_client_free(client);
}

static void runs_without_a_worker_follow_its_rules(void)
{
    static const char *const RULES = "{\"queue\":\"q\",\"timeout_ms\":%s,\"discard_on\":[\"ENOENT\"],\"backoff_ms\":0}";
    char rules[256];
    mh_client *client = open_client();
    snprintf(rules, sizeof rules, RULES, "3600000");
    CHECK_OK(mh_client_define(client, "k", rules, &failure));
    mh_string_free(put(client, NULL, "k", NULL, "{\"jid\":\"a\"}"));
    mh_job *job = reserve(client, "q");
    CHECK(mh_job_interrupted(job) == NULL);
    CHECK_OK(mh_job_error(job, "EIO", "on purpose", NULL, &failure));
    mh_job_free(job);
    check_job(client, "a", "\"state\":\"waiting\""); /* it runs again at once */
    snprintf(rules, sizeof rules, RULES, "1");
    CHECK_OK(mh_client_define(client, "k", rules, &failure));
    job = reserve(client, "q");
    outlast(job); /* the time of its kind */
    CHECK_OK(mh_job_error(job, "ENOENT", "on purpose", NULL, &failure));
    mh_job_free(job);
    check_job(client, "a", "\"state\":\"failed\"");
    check_job(client, "a", "\"group\":\"k:ENOENT\"");
    mh_client_free(client);
}

static void a_puts_own_timeout_and_backoff_come_first(void)
{
    mh_client *client = open_client();
    CHECK_OK(mh_client_define(client, "k",
                              "{\"queue\":\"q\",\"timeout_ms\":3600000,\"retry_on\":{\"EAGAIN\":0},\"backoff_ms\":0}",
                              &failure));
    mh_worker *worker = open_worker(client, "q", 1);
    mh_string_free(put(client, NULL, "k", NULL, "{\"jid\":\"own\",\"timeout_ms\":1,\"backoff_ms\":[3600000,7200000]}"));
    mh_job *job = next(worker);
    CHECK_NUMBER(mh_job_timeout_ms(job), 1);
    CHECK_TEXT(mh_job_backoff_json(job), "[3600000,7200000]");
    outlast(job);
    CHECK_OK(mh_job_error(job, "EAGAIN", "on purpose", NULL, &failure)); /* the rule by class comes before both */
    mh_job_free(job);
    perform_badly(worker, "EIO"); /* and runs again in two hours */
    mh_string_free(put(client, NULL, "k", NULL, "{\"jid\":\"plain\",\"retries\":1}"));
    perform_badly(worker, "EIO");
    perform_badly(worker, "EIO");
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_worker_free(worker);
    check_job(client, "own", "\"state\":\"scheduled\"");
    check_job(client, "plain", "\"state\":\"failed\"");

    /* Without a worker too. */
    CHECK_OK(mh_client_define(client, "k", "{\"queue\":\"p\",\"timeout_ms\":3600000,\"backoff_ms\":0}", &failure));
    static const char *const KINDS[] = {"k", "unsaid"};
    for (size_t index = 0; index < 2; index++) {
        char *jid = put(client, "p", KINDS[index], NULL, "{\"timeout_ms\":1,\"backoff_ms\":3600000}");
        job = reserve(client, "p");
        outlast(job);
        CHECK_OK(mh_job_error(job, "EIO", "on purpose", NULL, &failure));
        mh_job_free(job);
        check_job(client, jid, "\"state\":\"scheduled\"");
        check_job(client, jid, "\"backoff_ms\":3600000");
        mh_string_free(jid);
    }
    CHECK_INVALID(mh_queue_put(client, "q", "k", NULL, "{\"timeout_ms\":0}", NULL, NULL, &failure), "timeout_ms 0 is outside 1");
    CHECK_INVALID(mh_queue_put(client, "q", "k", NULL, "{\"backoff_ms\":\"1s\"}", NULL, NULL, &failure), "backoff_ms");
    mh_client_free(client);
}

const struct test kind_tests[] = {
    {"puts have the defaults of their kind", puts_have_the_defaults_of_their_kind},
    {"many have those of their own kinds", many_have_those_of_their_own_kinds},
    {"puts by the name of the operation have them too", puts_by_the_name_of_the_operation_have_them_too},
    {"what no put could have is refused", what_no_put_could_have_is_refused},
    {"runs follow its rules", runs_follow_its_rules},
    {"runs without a worker follow its rules", runs_without_a_worker_follow_its_rules},
    {"a put's own timeout and backoff come first", a_puts_own_timeout_and_backoff_come_first},
    END_OF_TESTS,
};
