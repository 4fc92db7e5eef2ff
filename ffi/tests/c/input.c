/* Bad input: each has its code, and a message that names the argument; nothing is stored, no output written. */
#include "harness.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void null_is_named(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    mh_job *job = NULL;
    size_t count = 0;
    char *text = NULL;
    CHECK_INVALID(mh_client_open(NULL, NULL, NULL, &failure), "out_client is NULL");
    CHECK_INVALID(mh_client_call(NULL, "sweep", "{}", &text, &failure), "client is NULL");
    CHECK_INVALID(mh_client_call(client, NULL, "{}", &text, &failure), "operation is NULL");
    CHECK_INVALID(mh_client_close(NULL, &failure), "client is NULL");
    CHECK_INVALID(mh_queue_put(NULL, "q", "work", NULL, NULL, &text, NULL, &failure), "client is NULL");
    CHECK_INVALID(mh_queue_put(client, NULL, "work", NULL, NULL, &text, NULL, &failure), "queue is NULL");
    CHECK_INVALID(mh_queue_put(client, "q", NULL, NULL, NULL, &text, NULL, &failure), "kind is NULL");
    CHECK_INVALID(mh_queue_put_many(client, NULL, &text, &failure), "jobs_json is NULL");
    CHECK_INVALID(mh_queue_reserve(client, NULL, NULL, 1, &job, &count, &failure), "queue is NULL");
    CHECK_INVALID(mh_queue_reserve(client, "q", NULL, 1, NULL, &count, &failure), "out_jobs is NULL");
    CHECK_INVALID(mh_queue_reserve(client, "q", NULL, 1, &job, NULL, &failure), "out_count is NULL");
    CHECK_INVALID(mh_worker_open(NULL, "{}", &worker, &failure), "client is NULL");
    CHECK_INVALID(mh_worker_open(client, NULL, &worker, &failure), "options_json is NULL");
    CHECK_INVALID(mh_worker_open(client, "{}", NULL, &failure), "out_worker is NULL");
    CHECK_INVALID(mh_client_open_under_settings(NULL, NULL, &failure), "out_client is NULL");
    CHECK_INVALID(mh_worker_open_under_settings(NULL, "{}", &worker, &failure), "client is NULL");
    CHECK_INVALID(mh_worker_open_under_settings(client, "{}", NULL, &failure), "out_worker is NULL");
    CHECK_INVALID(mh_worker_next(NULL, 0, &job, &failure), "worker is NULL");
    CHECK_INVALID(mh_worker_next(worker, 0, NULL, &failure), "out_job is NULL");
    CHECK_INVALID(mh_worker_take_refused(NULL, &text, &failure), "worker is NULL");
    CHECK_INVALID(mh_worker_take_refused(worker, NULL, &failure), "out_refused_json is NULL");
    CHECK_INVALID(mh_worker_take_interrupt(NULL, NULL, NULL, &text, &failure), "worker is NULL");
    CHECK_INVALID(mh_worker_take_interrupt(worker, NULL, NULL, NULL, &failure), "out_reason is NULL");
    CHECK_INVALID(mh_worker_kill_running(NULL, &failure), "worker is NULL");
    CHECK_INVALID(mh_worker_obey_signals(NULL, &failure), "worker is NULL");
    CHECK_INVALID(mh_worker_pause(NULL, &failure), "worker is NULL");
    CHECK_INVALID(mh_worker_resume(NULL, &failure), "worker is NULL");
    CHECK_INVALID(mh_worker_quiet(NULL, &failure), "worker is NULL");
    CHECK_INVALID(mh_worker_stop(NULL, 0, &failure), "worker is NULL");
    CHECK_INVALID(mh_job_complete(NULL, NULL, NULL, &failure), "job is NULL");
    CHECK_INVALID(mh_job_fail(NULL, "g", NULL, NULL, &failure), "job is NULL");
    CHECK_INVALID(mh_job_error(NULL, "E", NULL, NULL, &failure), "job is NULL");
    CHECK_INVALID(mh_job_retry(NULL, 0, NULL, NULL, NULL, &failure), "job is NULL");
    CHECK_INVALID(mh_job_snooze(NULL, 0, &failure), "job is NULL");
    CHECK_INVALID(mh_job_release(NULL, &failure), "job is NULL");
    CHECK_INVALID(mh_job_finish(NULL, "{\"release\":{}}", &text, &failure), "job is NULL");
    CHECK_INVALID(mh_job_heartbeat(NULL, NULL, &failure), "job is NULL");
    CHECK(mh_worker_name(NULL) == NULL);
    CHECK(mh_job_interrupted(NULL) == NULL);
    CHECK_NUMBER(mh_worker_running(NULL), 0);
    CHECK(mh_worker_ordered(NULL) == NULL);
    CHECK(mh_worker_take_signal(NULL) == NULL);
    CHECK_NUMBER(mh_worker_threads(NULL), 0);
    CHECK(!mh_worker_is_stuck(NULL) && !mh_worker_is_spent(NULL));
    CHECK(text == NULL && job == NULL && count == 0);
    mh_worker_free(NULL);
    mh_worker_free(worker);
    mh_client_free(client);
}

static void open_is_refused(const char *url, const char *options, mh_code code, const char *message)
{
    mh_client *client = UNTOUCHED(mh_client);
    CHECK_ERROR(mh_client_open(url, options, &client, &failure), code, message);
    CHECK(client == UNTOUCHED(mh_client));
}

static void clients_are_not_opened(void)
{
    open_is_refused("gopher://localhost", NULL, MH_CODE_UNSUPPORTED_URL, "gopher");
    open_is_refused("redis://\xff", NULL, MH_CODE_INVALID_ARGUMENT, "url is not UTF-8 at byte 8");
    open_is_refused("redis://localhost:port", NULL, MH_CODE_INVALID_ARGUMENT, "port");
    open_is_refused(server_url(), "{", MH_CODE_INVALID_ARGUMENT, "options_json is not JSON");
    open_is_refused(server_url(), "[]", MH_CODE_INVALID_ARGUMENT, "options_json must be a JSON object");
    open_is_refused(server_url(), "{\"name_space\":\"x\"}", MH_CODE_INVALID_ARGUMENT, "options.name_space is unknown");
    open_is_refused(server_url(), "{\"namespace\":\"a:b\"}", MH_CODE_INVALID_ARGUMENT, "options.namespace");
    open_is_refused(server_url(), "{\"timeout_ms\":0}", MH_CODE_INVALID_ARGUMENT, "options.timeout_ms 0 is outside");
    open_is_refused(server_url(), "{\"timeout_ms\":NaN}", MH_CODE_INVALID_ARGUMENT, "options.timeout_ms is not JSON");
}

static void put_is_refused(mh_client *client, const char *queue, const char *kind, const char *data, const char *options,
                           const char *message)
{
    char *jid = UNTOUCHED(char);
    CHECK_INVALID(mh_queue_put(client, queue, kind, data, options, &jid, NULL, &failure), message);
    CHECK(jid == UNTOUCHED(char));
}

static void puts_store_nothing(void)
{
    char long_name[301], deep[300], options[400];
    mh_client *client = open_client();
    memset(long_name, 'x', 300);
    long_name[300] = '\0';
    memset(deep, '[', 129);
    memset(deep + 129, ']', 129);
    deep[258] = '\0';

    put_is_refused(client, "", "work", NULL, NULL, "queue is empty");
    put_is_refused(client, long_name, "work", NULL, NULL, "queue has 300 bytes, at most 255");
    put_is_refused(client, "q", "", NULL, NULL, "kind is empty");
    put_is_refused(client, "q", "a\nb", NULL, NULL, "kind has a control character at byte 1");
    put_is_refused(client, "q\xc3", "work", NULL, NULL, "queue is not UTF-8 at byte 1");
    put_is_refused(client, "q", "work", "", NULL, "data_json is not JSON");
    put_is_refused(client, "q", "work", "{", NULL, "data_json is not JSON");
    put_is_refused(client, "q", "work", "NaN", NULL, "data_json is not JSON");
    put_is_refused(client, "q", "work", "[1,]", NULL, "data_json is not JSON");
    put_is_refused(client, "q", "work", "1, \"priority\": 5", NULL, "data_json is not JSON");
    put_is_refused(client, "q", "work", "\"\xff\"", NULL, "data_json is not UTF-8 at byte 1");
    put_is_refused(client, "q", "work", deep, NULL, "data_json is nested more than 128 deep");
    snprintf(options, sizeof options, "{\"jid\":\"%s\"}", long_name);
    put_is_refused(client, "q", "work", NULL, options, "jid has 300 bytes, at most 255");
    put_is_refused(client, "q", "work", NULL, "{\"jid\":\"\"}", "jid is empty");
    put_is_refused(client, "q", "work", NULL, "{\"jid\":7}", "options.jid 7 is not a text");
    put_is_refused(client, "q", "work", NULL, "{\"priority\":5000}", "priority 5000 is outside -128..127");
    put_is_refused(client, "q", "work", NULL, "{\"priority\":1.5}", "options.priority 1.5 is not a whole number");
    put_is_refused(client, "q", "work", NULL, "{\"priority\":NaN}", "options.priority is not JSON");
    put_is_refused(client, "q", "work", NULL, "{\"delay_ms\":-1}", "delay_ms -1 is negative");
    put_is_refused(client, "q", "work", NULL, "{\"delay_ms\":1e999}", "options.delay_ms 1e999 is not a whole number");
    put_is_refused(client, "q", "work", NULL, "{\"retries\":256}", "retries 256 is outside 0..255");
    put_is_refused(client, "q", "work", NULL, "{\"tags\":\"a\"}", "options.tags \"a\" is not a list of texts");
    put_is_refused(client, "q", "work", NULL, "{\"route\":[\"\"]}", "route[0] is empty");
    put_is_refused(client, "q", "work", NULL, "{\"on_conflict\":\"maybe\"}", "options.on_conflict \"maybe\"");
    put_is_refused(client, "q", "work", NULL, "{\"throttles\":[\"\"]}", "throttles[0] is empty");
    put_is_refused(client, "q", "work", NULL, "{\"missing\":\"keep\"}", "options.missing \"keep\"");
    put_is_refused(client, "q", "work", NULL, "{\"dependencies\":{}}", "options.dependencies {} is not a list of texts");
    put_is_refused(client, "q", "work", NULL, "{\"prio\":1}", "options.prio is unknown");
    put_is_refused(client, "q", "work", NULL, "{\"queue\":\"r\"}", "options.queue is unknown");
    put_is_refused(client, "q", "work", NULL, "[]", "options_json must be a JSON object");

    check_count(client, "q", "waiting", 0);
    check_count(client, "q", "scheduled", 0);
    mh_client_free(client);
}

static void many_are_refused(mh_client *client, const char *jobs, const char *message)
{
    char *reply = UNTOUCHED(char);
    CHECK_INVALID(mh_queue_put_many(client, jobs, &reply, &failure), message);
    CHECK(reply == UNTOUCHED(char));
}

static void one_bad_job_of_many_stores_none(void)
{
    mh_client *client = open_client();
    many_are_refused(client, "[{\"queue\":\"q\",\"kind\":\"work\"},{\"queue\":\"q\"}]", "jobs[1].kind is missing");
    many_are_refused(client,
                     "[{\"queue\":\"q\",\"kind\":\"work\"},"
                     "{\"queue\":\"q\",\"kind\":\"work\",\"priority\":5000}]",
                     "jobs[1].priority 5000");
    many_are_refused(client, "[]", "jobs_json is empty");
    many_are_refused(client, "{}", "jobs_json {} is not a list");
    many_are_refused(client, "[],\"x\":[]", "jobs_json is not JSON");
    many_are_refused(client, "", "jobs_json is not JSON");
    check_count(client, "q", "waiting", 0);
    mh_client_free(client);
}

/* The call was refused, and says during which operation; NULL: none. */
static void during(mh_code code, const char *operation)
{
    CHECK(code != MH_CODE_OK && failure != NULL);
    if (operation == NULL)
        CHECK(mh_error_operation(failure) == NULL);
    else
        CHECK_TEXT(mh_error_operation(failure), operation);
    mh_error_free(failure);
    failure = NULL;
}

static void errors_name_the_operation(void)
{
    mh_client *client = open_client(), *none = NULL;
    mh_worker *worker = open_worker(client, "q", 1);
    mh_job *job = NULL;
    size_t count = 0;
    during(mh_client_open("redis://localhost:port", NULL, &none, &failure), NULL);
    during(mh_client_call(client, "queue_pop", "{}", NULL, &failure), "queue_pop");
    during(mh_client_call(client, "queue_counts", "\xff", NULL, &failure), "queue_counts");
    during(mh_queue_put(client, NULL, "work", NULL, NULL, NULL, NULL, &failure), "queue_put");
    during(mh_queue_put(client, "q", "work", NULL, "{\"prio\":1}", NULL, NULL, &failure), "queue_put");
    during(mh_queue_put_many(client, "[", NULL, &failure), "queue_put");
    during(mh_queue_reserve(client, "q", NULL, 0, &job, &count, &failure), "queue_reserve");
    during(mh_worker_next(worker, 0, NULL, &failure), "worker_next");
    for (int held = 0; held < 2; held++) {
        mh_string_free(put(client, "q", "work", NULL, NULL));
        job = held ? next(worker) : reserve(client, "q");
        during(mh_job_complete(job, NULL, "{\"delay_ms\":-5}", &failure), "job_complete");
        during(mh_job_complete(job, "NaN", NULL, &failure), "job_complete");
        during(mh_job_fail(job, NULL, NULL, NULL, &failure), "job_fail");
        during(mh_job_error(job, NULL, NULL, NULL, &failure), "job_retry");
        during(mh_job_retry(job, -1, NULL, NULL, NULL, &failure), "job_retry");
        during(mh_job_snooze(job, -1, &failure), "job_snooze");
        during(mh_job_finish(job, "{\"fail\":{}}", NULL, &failure), "job_fail");
        CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
        mh_job_free(job);
    }
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_worker_free(worker);
    mh_client_free(client);
}

static void calls_are_refused(void)
{
    char *reply = UNTOUCHED(char);
    mh_client *client = open_client();
    CHECK_ERROR(mh_client_call(client, "queue_pop", "{}", &reply, &failure), MH_CODE_UNKNOWN_OPERATION, "queue_pop");
    CHECK_INVALID(mh_client_call(client, "queue_counts", "{", &reply, &failure), "not JSON");
    CHECK_INVALID(mh_client_call(client, "queue_counts", "{}", &reply, &failure), "queue");
    CHECK_INVALID(mh_client_call(client, "queue_counts", "{\"queue\":\"q\",\"x\":1}", &reply, &failure), "x");
    CHECK(reply == UNTOUCHED(char));
    mh_client_free(client);
}

static void reserves_are_refused(void)
{
    mh_job *job = UNTOUCHED(mh_job);
    size_t count = 7;
    mh_client *client = open_client();
    CHECK_INVALID(mh_queue_reserve(client, "q", NULL, 0, &job, &count, &failure), "limit 0 is outside 1..250");
    CHECK_INVALID(mh_queue_reserve(client, "q", NULL, SIZE_MAX, &job, &count, &failure), "is outside 1..250");
    CHECK_INVALID(mh_queue_reserve(client, "", NULL, 1, &job, &count, &failure), "queue is empty");
    CHECK_INVALID(mh_queue_reserve(client, "q", "", 1, &job, &count, &failure), "worker is empty");
    CHECK(job == UNTOUCHED(mh_job) && count == 7);
    mh_client_free(client);
}

static void worker_is_refused(mh_client *client, const char *options, const char *message)
{
    mh_worker *worker = UNTOUCHED(mh_worker);
    CHECK_INVALID(mh_worker_open(client, options, &worker, &failure), message);
    CHECK(worker == UNTOUCHED(mh_worker));
}

static void workers_are_not_opened(void)
{
    mh_client *client = open_client();
    worker_is_refused(client, "", "options_json is not JSON");
    worker_is_refused(client, "{}", "options.queues is missing");
    worker_is_refused(client, "{\"queues\":[]}", "options.queues is empty");
    worker_is_refused(client, "{\"queues\":[\"\"]}", "options.queues[0] is empty");
    worker_is_refused(client, "{\"queues\":[\"q\"],\"threads\":0}", "options.threads 0 is outside 1..1000");
    worker_is_refused(client, "{\"queues\":[\"q\"],\"strategy\":\"best\"}", "options.strategy best is unknown");
    worker_is_refused(client, "{\"queues\":[\"q\"],\"shutdown_timeout_ms\":-1}", "options.shutdown_timeout_ms -1");
    worker_is_refused(client, "{\"queues\":[\"q\"],\"concurrency\":2}", "options.concurrency is unknown");
    mh_client_free(client);
}

/* Ends a run wrongly in every way; the job is still in hand after each. */
static void ends_wrongly(mh_job *job)
{
    char *state = UNTOUCHED(char);
    CHECK_INVALID(mh_job_complete(job, "NaN", NULL, &failure), "result_json is not JSON");
    CHECK_INVALID(mh_job_complete(job, NULL, "{\"delay_ms\":-5}", &failure), "options.delay_ms -5 is negative");
    CHECK_INVALID(mh_job_complete(job, NULL, "{\"queue\":\"\"}", &failure), "queue is empty");
    CHECK_INVALID(mh_job_complete(job, NULL, "{\"next\":\"r\"}", &failure), "options.next is unknown");
    CHECK_INVALID(mh_job_fail(job, NULL, NULL, NULL, &failure), "group is NULL");
    CHECK_INVALID(mh_job_fail(job, "", NULL, NULL, &failure), "group is empty");
    CHECK_INVALID(mh_job_error(job, NULL, NULL, NULL, &failure), "class_name is NULL");
    CHECK_INVALID(mh_job_retry(job, -1, NULL, NULL, NULL, &failure), "delay_ms -1 is negative");
    CHECK_INVALID(mh_job_retry(job, 0, "a\nb", NULL, NULL, &failure), "group has a control character");
    CHECK_INVALID(mh_job_snooze(job, INT64_MAX, &failure), "delay_ms 9223372036854775807");
    CHECK_INVALID(mh_job_finish(job, "{}", &state, &failure), "outcome is empty");
    CHECK_INVALID(mh_job_finish(job, "{\"done\":{}}", &state, &failure), "outcome.done is unknown");
    CHECK(state == UNTOUCHED(char));
    CHECK_OK(mh_job_finish(job, "{\"complete\":{}}", &state, &failure));
    CHECK_TEXT(state, "completed");
    mh_string_free(state);
}

static void a_wrong_end_leaves_the_job_in_hand(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    mh_string_free(put(client, "q", "work", NULL, NULL));
    mh_job *job = reserve(client, "q");
    ends_wrongly(job);
    mh_job_free(job);
    mh_string_free(put(client, "q", "work", NULL, NULL));
    job = next(worker);
    ends_wrongly(job);
    mh_job_free(job);
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_worker_free(worker);
    mh_client_free(client);
}

const struct test input_tests[] = {
    {"NULL is named", null_is_named},
    {"clients are not opened", clients_are_not_opened},
    {"puts store nothing", puts_store_nothing},
    {"one bad job of many stores none", one_bad_job_of_many_stores_none},
    {"errors name the operation", errors_name_the_operation},
    {"calls are refused", calls_are_refused},
    {"reserves are refused", reserves_are_refused},
    {"workers are not opened", workers_are_not_opened},
    {"a wrong end leaves the job in hand", a_wrong_end_leaves_the_job_in_hand},
    END_OF_TESTS,
};
