/* Errors of handlers go to whoever collects them: here, as lines on standard error. Needs no server: the default is a private one in
 * .manyhands. */
#include <manyhands.h>
#include <stdio.h>
#include <stdlib.h>

static mh_error *error = NULL;

static void must(mh_code code)
{
    if (code != MH_CODE_OK) {
        fprintf(stderr, "errors: %s: %s\n", mh_error_name(error), mh_error_message(error));
        exit(1);
    }
}

/* Called after each run that ended in an error, on its thread: it should return soon, and so leaves slow things to another. */
static void report(void *user_data, const mh_run *run)
{
    fprintf((FILE *)user_data, "REPORT %s failed in run %u, after %llu ms: %s (job %s of queue %s)\n", run->kind, run->attempt,
            (unsigned long long)run->run_ms, run->message != NULL ? run->message : "it did not say why", run->jid, run->queue);
}

/* Not an error of a handler, but work that was done and does not count. */
static void report_lost(void *user_data, const char *jid, const char *token, const char *reason)
{
    fprintf((FILE *)user_data, "REPORT job %s was lost under token %s: %s\n", jid, token, reason);
}

/* A handler: who knows no more than that it failed says so, and its job runs again while it has retries. */
static void ship(mh_job *job)
{
    if (mh_job_data(job)[0] == '-')
        must(mh_job_error(job, "ENOENT", "there is no such order", NULL, &error));
    else
        must(mh_job_complete(job, NULL, NULL, &error));
}

int main(void)
{
    mh_client *client = NULL;
    mh_worker *worker = NULL;
    mh_job *job = NULL;
    mh_worker_hooks hooks = {0};

    must(mh_client_open(NULL, NULL, &client, &error));
    must(mh_queue_put(client, "orders", "ship", "7", NULL, NULL, NULL, &error));
    must(mh_queue_put(client, "orders", "ship", "-7", "{\"retries\": 0}", NULL, NULL, &error));

    must(mh_worker_open(client, "{\"queues\": [\"orders\"], \"kinds\": [\"ship\"]}", &worker, &error));
    hooks.user_data = stderr; /* lasts as long as the worker */
    hooks.on_failure = report;
    hooks.on_lock_lost = report_lost;
    must(mh_worker_hook(worker, &hooks, &error));
    for (int jobs = 0; jobs < 2; jobs++) {
        must(mh_worker_next(worker, UINT64_MAX, &job, &error));
        ship(job);
        mh_job_free(job);
    }

    must(mh_worker_stop(worker, -1, &error)); /* two orders are enough */
    mh_worker_free(worker);
    mh_client_free(client);
    return 0;
}
