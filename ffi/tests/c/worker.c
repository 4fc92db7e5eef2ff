/* The worker: jobs come, outcomes go, stopping ends every wait. */
#include "harness.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void stop_and_free(mh_worker *worker, mh_client *client)
{
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_worker_free(worker);
    mh_client_free(client);
}

static void performs_a_job(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    char *jid = put(client, "q", "work", "[1,  2]", "{\"tags\":[\"t\"]}");
    mh_job *job = next(worker);
    CHECK_TEXT(mh_job_jid(job), jid);
    CHECK_TEXT(mh_job_data(job), "[1,  2]");
    CHECK_TEXT(mh_job_tags_json(job), "[\"t\"]");
    CHECK_NUMBER(mh_worker_running(worker), 1);
    check_job(client, jid, mh_worker_name(worker));
    CHECK_OK(mh_job_complete(job, "\"done\"", NULL, &failure));
    CHECK_NUMBER(mh_worker_running(worker), 0);
    mh_job_free(job);
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    check_job(client, jid, "\"state\":\"completed\"");
    mh_worker_free(worker);
    mh_string_free(jid);
    mh_client_free(client);
}

static void waits_no_longer_than_told(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    char place;
    mh_job *job = (mh_job *)(void *)&place;
    CHECK_OK(mh_worker_next(worker, 0, &job, &failure));
    CHECK(job == NULL);
    CHECK_OK(mh_worker_next(worker, 30, &job, &failure));
    CHECK(job == NULL);
    stop_and_free(worker, client);
}

static void a_delayed_job_comes_when_due(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    mh_string_free(put(client, "q", "work", NULL, "{\"delay_ms\":120}"));
    mh_job *job = next(worker);
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    mh_job_free(job);
    stop_and_free(worker, client);
}

static void does_not_need_its_client_handle(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    mh_string_free(put(client, "q", "work", NULL, NULL));
    mh_client_free(client);
    mh_job *job = next(worker);
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    mh_job_free(job);
    stop_and_free(worker, NULL);
}

static void says_what_became_of_a_job(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    char *state = NULL;
    mh_string_free(put(client, "q", "work", NULL, NULL));
    mh_job *job = next(worker);
    CHECK_OK(mh_job_finish(job, "{\"complete\":{\"result\":[1]}}", &state, &failure));
    CHECK_TEXT(state, "completed");
    CHECK_ERROR(mh_job_complete(job, NULL, NULL, &failure), MH_CODE_WRONG_STATE, mh_job_jid(job));
    mh_string_free(state);
    mh_job_free(job);

    char *jid = put(client, "q", "nobody knows", NULL, NULL);
    job = next(worker);
    CHECK_OK(mh_job_finish(job, "{\"unknown_kind\":{}}", &state, &failure));
    CHECK_TEXT(state, "failed");
    check_job(client, jid, "\"group\":\"unknown-kind:nobody knows\"");
    mh_string_free(state);
    mh_string_free(jid);
    mh_job_free(job);
    stop_and_free(worker, client);
}

static void every_verb_reaches_the_engine(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    char *failed = put(client, "q", "work", NULL, NULL);
    mh_job *job = next(worker);
    CHECK_OK(mh_job_fail(job, "bad-input", "why", NULL, &failure));
    mh_job_free(job);
    char *spent = put(client, "q", "work", NULL, "{\"retries\":0}");
    job = next(worker);
    CHECK_OK(mh_job_error(job, "EIO", "disk", NULL, &failure));
    mh_job_free(job);
    char *retried = put(client, "q", "work", NULL, NULL);
    job = next(worker);
    CHECK_OK(mh_job_retry(job, 3600000, &failure));
    mh_job_free(job);
    char *snoozed = put(client, "q", "work", NULL, NULL);
    job = next(worker);
    CHECK_OK(mh_job_snooze(job, 3600000, &failure));
    mh_job_free(job);
    char *released = put(client, "q", "work", NULL, NULL);
    job = next(worker);
    CHECK_OK(mh_worker_quiet(worker, &failure));
    CHECK_OK(mh_job_release(job, &failure));
    mh_job_free(job);
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_worker_free(worker);

    check_job(client, failed, "\"group\":\"bad-input\"");
    check_job(client, spent, "\"group\":\"work:EIO\"");
    check_job(client, retried, "\"remaining\":4");
    check_job(client, snoozed, "\"remaining\":5");
    check_job(client, released, "\"state\":\"waiting\"");
    char *jids[] = {failed, spent, retried, snoozed, released};
    for (size_t index = 0; index < sizeof jids / sizeof *jids; index++)
        mh_string_free(jids[index]);
    mh_client_free(client);
}

static void a_lost_job_is_told_and_its_outcome_refused(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    char *refused = NULL;
    mh_string_free(put(client, "q", "work", "1", "{\"jid\":\"one\"}"));
    mh_job *job = next(worker);
    CHECK(mh_job_lost(job) == NULL);
    uint64_t lease_ms = 0;
    CHECK_OK(mh_job_heartbeat(job, &lease_ms, &failure));
    CHECK_NUMBER(lease_ms, 60000);
    CHECK_OK(mh_worker_take_refused(worker, &refused, &failure));
    CHECK(refused == NULL);

    mh_string_free(put(client, "r", "work", "2", "{\"jid\":\"one\",\"on_conflict\":\"move\"}"));
    CHECK_ERROR(mh_job_heartbeat(job, &lease_ms, &failure), MH_CODE_LOCK_LOST, "replaced");
    CHECK_TEXT(mh_job_lost(job), "replaced");
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    CHECK_OK(mh_worker_take_refused(worker, &refused, &failure));
    CHECK_CONTAINS(refused, "\"jid\":\"one\"");
    CHECK_CONTAINS(refused, "\"operation\":\"job_complete\"");
    CHECK_CONTAINS(refused, "\"reason\":\"replaced\"");
    CHECK_CONTAINS(refused, mh_job_token(job));
    mh_string_free(refused);
    CHECK_OK(mh_worker_take_refused(worker, &refused, &failure));
    CHECK(refused == NULL);
    check_count(client, "r", "waiting", 1);
    mh_job_free(job);
    mh_worker_free(worker);
    mh_client_free(client);
}

static void the_pulse_tells_of_a_lost_job(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 2);
    mh_string_free(put(client, "q", "work", "1", "{\"jid\":\"one\"}"));
    mh_job *job = next(worker);
    mh_string_free(put(client, "r", "work", "2", "{\"jid\":\"one\",\"on_conflict\":\"move\"}"));
    /* Each round waits for a job that does not come. */
    mh_job *none = NULL;
    for (int rounds = 0; rounds < 100 && mh_job_lost(job) == NULL; rounds++)
        CHECK_OK(mh_worker_next(worker, 100, &none, &failure));
    CHECK_TEXT(mh_job_lost(job), "replaced");
    mh_job_free(job);
    CHECK_OK(mh_worker_stop(worker, 0, &failure));
    mh_worker_free(worker);
    mh_client_free(client);
}

static void stop_leaves_what_is_not_ended_to_its_lease(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    char *jid = put(client, "q", "work", NULL, NULL);
    mh_job *job = next(worker);
    CHECK_OK(mh_worker_stop(worker, 20, &failure));
    CHECK_NUMBER(mh_worker_running(worker), 1);
    CHECK_ERROR(mh_job_complete(job, NULL, NULL, &failure), MH_CODE_CLOSED, "the worker has stopped");
    check_job(client, jid, "\"state\":\"running\"");
    mh_worker_free(worker);
    mh_job_free(job);
    mh_string_free(jid);
    mh_client_free(client);
}

static void a_job_may_outlive_its_worker(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    mh_string_free(put(client, "q", "work", "[7]", NULL));
    mh_job *job = next(worker);
    mh_worker_free(worker);
    mh_client_free(client);
    CHECK_TEXT(mh_job_data(job), "[7]");
    CHECK(mh_job_lost(job) == NULL);
    CHECK_ERROR(mh_job_complete(job, NULL, NULL, &failure), MH_CODE_CLOSED, "the worker has stopped");
    mh_job_free(job);
}

struct crew {
    mh_worker *worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int performed;
    mh_code ended;
};

/* Performs jobs until there are no more to come, and notes what ended it. */
static void *perform_all(void *argument)
{
    struct crew *crew = (struct crew *)argument;
    mh_job *job = NULL;
    mh_code code;
    while ((code = mh_worker_next(crew->worker, UINT64_MAX, &job, NULL)) == MH_CODE_OK) {
        code = mh_job_complete(job, mh_job_data(job), NULL, NULL);
        mh_job_free(job);
        if (code != MH_CODE_OK)
            break;
        pthread_mutex_lock(&crew->lock);
        crew->performed++;
        pthread_cond_signal(&crew->changed);
        pthread_mutex_unlock(&crew->lock);
    }
    pthread_mutex_lock(&crew->lock);
    crew->ended = code;
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

static void wait_until_performed(struct crew *crew, int jobs)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->performed < jobs)
        pthread_cond_wait(&crew->changed, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
}

#define THREADS 3
#define JOBS 60

static void threads_share_a_worker(void)
{
    mh_client *client = open_client();
    struct crew crew = {NULL, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, MH_CODE_OK};
    pthread_t threads[THREADS];
    crew.worker = open_worker(client, "q", THREADS);
    for (int index = 0; index < THREADS; index++)
        CHECK_NUMBER(pthread_create(&threads[index], NULL, perform_all, &crew), 0);
    for (int index = 0; index < JOBS; index++)
        mh_string_free(put(client, "q", "work", "[1]", NULL));
    wait_until_performed(&crew, JOBS);
    CHECK_OK(mh_worker_quiet(crew.worker, &failure));
    for (int index = 0; index < THREADS; index++)
        CHECK_NUMBER(pthread_join(threads[index], NULL), 0);
    CHECK_NUMBER(crew.ended, MH_CODE_CLOSED);
    CHECK_NUMBER(crew.performed, JOBS);
    CHECK_OK(mh_worker_stop(crew.worker, -1, &failure));
    check_count(client, "q", "waiting", 0);
    check_count(client, "q", "running", 0);
    mh_worker_free(crew.worker);
    mh_client_free(client);
}

static void stop_ends_the_wait_of_another_thread(void)
{
    for (int round = 0; round < 5; round++) {
        mh_client *client = open_client();
        struct crew crew = {NULL, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, MH_CODE_OK};
        pthread_t thread;
        crew.worker = open_worker(client, "q", 1);
        CHECK_NUMBER(pthread_create(&thread, NULL, perform_all, &crew), 0);
        mh_string_free(put(client, "q", "work", "[1]", NULL));
        wait_until_performed(&crew, 1);
        CHECK_OK(mh_worker_stop(crew.worker, -1, &failure));
        CHECK_NUMBER(pthread_join(thread, NULL), 0);
        CHECK_NUMBER(crew.ended, MH_CODE_CLOSED);
        mh_job *job = NULL;
        CHECK_ERROR(mh_worker_next(crew.worker, 0, &job, &failure), MH_CODE_CLOSED, "no more jobs");
        CHECK(job == NULL);
        mh_worker_free(crew.worker);
        mh_client_free(client);
    }
}

static void stop_waits_for_a_started_job(void)
{
    mh_client *client = open_client();
    struct crew crew = {NULL, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, MH_CODE_OK};
    pthread_t thread;
    crew.worker = open_worker(client, "q", 2);
    char *jid = put(client, "q", "work", "[1]", NULL);
    mh_job *job = next(crew.worker);
    /* Another thread ends in CLOSED when the stop has begun; then the job is ended, and the stop can return. */
    CHECK_NUMBER(pthread_create(&thread, NULL, perform_all, &crew), 0);
    CHECK_OK(mh_worker_quiet(crew.worker, &failure));
    CHECK_NUMBER(pthread_join(thread, NULL), 0);
    CHECK_NUMBER(crew.ended, MH_CODE_CLOSED);
    CHECK_NUMBER(mh_worker_running(crew.worker), 1);
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    CHECK_OK(mh_worker_stop(crew.worker, 10000, &failure));
    check_job(client, jid, "\"state\":\"completed\"");
    mh_job_free(job);
    mh_string_free(jid);
    mh_worker_free(crew.worker);
    mh_client_free(client);
}

static void tells_its_language(void)
{
    mh_client *client = open_client();
    mh_worker *worker = NULL;
    CHECK_OK(mh_worker_open(client,
                            "{\"queues\":[\"a\",\"b\"],\"strategy\":\"round_robin\",\"threads\":4,\"kinds\":[\"work\"],"
                            "\"language\":\"zig\",\"shutdown_timeout_ms\":50}",
                            &worker, &failure));
    mh_string_free(put(client, "b", "work", NULL, NULL));
    mh_job *job = next(worker);
    CHECK_TEXT(mh_job_queue(job), "b");
    /* The option's 50 ms are the stop's, as the job is not ended. */
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_job_free(job);
    mh_worker_free(worker);
    mh_client_free(client);
}

const struct test worker_tests[] = {
    {"a worker performs a job", performs_a_job},
    {"next waits no longer than told", waits_no_longer_than_told},
    {"a delayed job comes when due", a_delayed_job_comes_when_due},
    {"a worker does not need its client's handle", does_not_need_its_client_handle},
    {"finish says what became of a job", says_what_became_of_a_job},
    {"every verb reaches the engine", every_verb_reaches_the_engine},
    {"a lost job is told, and its outcome refused", a_lost_job_is_told_and_its_outcome_refused},
    {"the pulse tells of a lost job", the_pulse_tells_of_a_lost_job},
    {"stop leaves what is not ended to its lease", stop_leaves_what_is_not_ended_to_its_lease},
    {"a job may outlive its worker", a_job_may_outlive_its_worker},
    {"threads share a worker", threads_share_a_worker},
    {"stop ends the wait of another thread", stop_ends_the_wait_of_another_thread},
    {"stop waits for a started job", stop_waits_for_a_started_job},
    {"a worker takes every option", tells_its_language},
    END_OF_TESTS,
};
