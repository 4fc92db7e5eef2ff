/* A worker with threads: each job goes to one of them, and stopping ends every wait. */
#include "harness.h"

#include <pthread.h>

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

const struct test crew_tests[] = {
    {"threads share a worker", threads_share_a_worker},
    {"stop ends the wait of another thread", stop_ends_the_wait_of_another_thread},
    {"stop waits for a started job", stop_waits_for_a_started_job},
    END_OF_TESTS,
};
