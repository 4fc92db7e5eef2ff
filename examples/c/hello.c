/* Put a job and perform it. Needs no server: the default is a private one in .manyhands. */
#include <manyhands.h>
#include <stdio.h>
#include <stdlib.h>

static mh_error *error = NULL;

static void must(mh_code code)
{
    if (code != MH_CODE_OK) {
        fprintf(stderr, "hello: %s: %s\n", mh_error_name(error), mh_error_message(error));
        exit(1);
    }
}

int main(void)
{
    mh_client *client = NULL;
    mh_worker *worker = NULL;
    mh_job *job = NULL;
    char name[64] = "you";

    must(mh_client_open(NULL, NULL, &client, &error));
    must(mh_queue_put(client, "greetings", "hello", "{\"name\": \"world\"}", NULL, NULL, NULL, &error));

    must(mh_worker_open(client, "{\"queues\": [\"greetings\"], \"kinds\": [\"hello\"]}", &worker, &error));
    must(mh_worker_next(worker, UINT64_MAX, &job, &error));
    sscanf(mh_job_data(job), "{\"name\": \"%63[^\"]", name); /* a larger program has a JSON library */
    printf("Hello, %s!\n", name);
    must(mh_job_complete(job, NULL, NULL, &error));
    mh_job_free(job);

    must(mh_worker_stop(worker, -1, &error)); /* one greeting is enough */
    mh_worker_free(worker);
    mh_client_free(client);
    return 0;
}
