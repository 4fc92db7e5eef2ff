/* A worker process for `manyhands work -- ./worker`. Alone it runs as well, until it is killed. */
#include <manyhands.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mh_worker *worker = NULL;

static void must(mh_code code, mh_error *error)
{
    if (code != MH_CODE_OK) {
        fprintf(stderr, "worker: %s: %s\n", mh_error_name(error), mh_error_message(error));
        exit(1);
    }
}

static void perform(mh_job *job)
{
    mh_error *error = NULL;
    mh_code code;
    if (strcmp(mh_job_kind(job), "hello") == 0) {
        /* A handler that may take long asks mh_job_interrupted() now and then, and then ends with mh_job_release(). */
        printf("Hello, %s!\n", mh_job_data(job));
        code = mh_job_complete(job, NULL, NULL, &error);
    } else {
        code = mh_job_finish(job, "{\"unknown_kind\": {}}", NULL, &error);
    }
    /* A job that is no longer ours has gone to another: there is nothing to do for it. */
    if (code != MH_CODE_LOCK_LOST)
        must(code, error);
    else
        mh_error_free(error);
    mh_job_free(job);
}

static void *perform_all(void *unused)
{
    mh_job *job = NULL;
    mh_error *error = NULL;
    mh_code code;
    while ((code = mh_worker_next(worker, UINT64_MAX, &job, &error)) == MH_CODE_OK)
        if (job != NULL)
            perform(job);
    /* CLOSED: there are no more jobs for this process. Its master wanted it so, or is dead, or JOBS_PER_FORK is reached. */
    if (code != MH_CODE_CLOSED)
        must(code, error);
    mh_error_free(error);
    return unused;
}

int main(void)
{
    mh_client *client = NULL;
    mh_error *error = NULL;
    pthread_t *threads;
    size_t count, begun;
    const char *signal;
    int at_once = 0;

    /* QUEUES, THREAD_COUNT, JOBS_PER_FORK and the others, as `manyhands work --help` tells, win over these options. */
    must(mh_client_open_under_settings(NULL, &client, &error), error);
    must(mh_worker_open_under_settings(client, "{\"queues\": [\"greetings\"], \"kinds\": [\"hello\"]}", &worker, &error), error);

    count = mh_worker_threads(worker);
    threads = (pthread_t *)calloc(count, sizeof *threads);
    for (begun = 0; threads != NULL && begun < count; begun++)
        if (pthread_create(&threads[begun], NULL, perform_all, NULL) != 0)
            break;
    if (begun < count) {
        fprintf(stderr, "worker: the system gives no %zu threads\n", count);
        return 1;
    }
    while (begun > 0)
        pthread_join(threads[--begun], NULL);
    free(threads);

    while ((signal = mh_worker_take_signal(worker)) != NULL)
        at_once |= strcmp(signal, "TERM") == 0;
    must(mh_worker_stop(worker, at_once ? 0 : -1, &error), error);
    mh_worker_free(worker);
    mh_client_free(client);
    return 0;
}
