#include "serve.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mh_worker *worker = NULL;
static const struct kind *kinds = NULL;
static size_t kind_count = 0;

/* `error` is where the call puts its error: looked at after the call, and not before. Status 2: the settings are refused. */
static void must(mh_code code, mh_error **error)
{
    if (code != MH_CODE_OK) {
        fprintf(stderr, "worker: %s: %s\n", mh_error_name(*error), mh_error_message(*error));
        exit(code == MH_CODE_INVALID_ARGUMENT ? 2 : 1);
    }
}

/* Ends the run of a job as its handler said. */
static mh_code end(mh_job *job, const char *error_class, mh_error **error)
{
    const char *interrupted = mh_job_interrupted(job);
    if (error_class == NULL)
        return mh_job_complete(job, NULL, NULL, error);
    if (interrupted != NULL && strcmp(interrupted, "killed") == 0)
        return mh_job_release(job, error); /* it is not to blame, and spends no retry */
    return mh_job_error(job, error_class, interrupted != NULL ? interrupted : "it failed", NULL, error);
}

static const struct kind *find(const char *name)
{
    for (size_t at = 0; at < kind_count; at++)
        if (strcmp(kinds[at].name, name) == 0)
            return &kinds[at];
    return NULL;
}

static void perform(mh_job *job)
{
    mh_error *error = NULL;
    mh_code code;
    const struct kind *kind = find(mh_job_kind(job));
    if (kind != NULL)
        code = end(job, kind->perform(job), &error);
    else
        code = mh_job_finish(job, "{\"unknown_kind\": {}}", NULL, &error);
    /* A job that is no longer ours has gone to another, and one that the stop did not wait for runs again. WRONG_STATE: the handler
     * has ended the run itself. */
    if (code != MH_CODE_LOCK_LOST && code != MH_CODE_CLOSED && code != MH_CODE_WRONG_STATE)
        must(code, &error);
    else
        mh_error_free(error);
    mh_job_free(job);
}

/* To standard error: what was refused, so what does not count of what was done here. */
static void report_refused(void)
{
    char *refused = NULL;
    mh_error *error = NULL;
    must(mh_worker_take_refused(worker, &refused, &error), &error);
    if (refused != NULL)
        fprintf(stderr, "worker: refused: %s\n", refused);
    mh_string_free(refused);
}

static void *perform_all(void *unused)
{
    mh_job *job = NULL;
    mh_error *error = NULL;
    mh_code code;
    while ((code = mh_worker_next(worker, UINT64_MAX, &job, &error)) == MH_CODE_OK)
        if (job != NULL)
            perform(job);
    /* CLOSED: there are no more jobs for this process. A signal or its master wanted it so, or JOBS_PER_FORK is reached. */
    if (code != MH_CODE_CLOSED)
        must(code, &error);
    mh_error_free(error);
    return unused;
}

int serve(const struct kind *those, size_t how_many, const char *worker_options)
{
    mh_client *client = NULL;
    mh_error *error = NULL;
    pthread_t *threads;
    size_t count, begun;
    const char *signal;
    int at_once = 0;

    kinds = those;
    kind_count = how_many;
    /* QUEUES, THREAD_COUNT, JOBS_PER_FORK and the others, as `manyhands work --help` tells, win over these options. */
    must(mh_client_open_under_settings(NULL, &client, &error), &error);
    for (size_t at = 0; at < kind_count; at++)
        must(mh_client_define(client, kinds[at].name, kinds[at].options, &error), &error);
    must(mh_worker_open_under_settings(client, worker_options, &worker, &error), &error);
    must(mh_worker_obey_signals(worker, &error), &error); /* QUIT, TERM, USR1, ... of this process, as a master's */

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
    must(mh_worker_stop(worker, at_once ? 0 : -1, &error), &error);
    report_refused();
    mh_worker_free(worker);
    mh_client_free(client);
    return 0;
}
