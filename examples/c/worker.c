/* A worker process for `manyhands work -- ./worker`. Alone it runs as well, until a signal ends it. Built with serve.c. */
#include "serve.h"

#include <stdio.h>

static const char *hello(mh_job *job)
{
    return printf("Hello, %s!\n", mh_job_data(job)) < 0 ? "EIO" : NULL;
}

/* What there is to do; a program that puts would define the same kinds, and leave all that holds for them to this. */
static const struct kind kinds[] = {
    {"hello", "{\"queue\": \"greetings\", \"retries\": 3, \"timeout_ms\": 30000, \"retry_on\": {\"EIO\": 1000}}", hello},
};

int main(void)
{
    return serve(kinds, sizeof kinds / sizeof *kinds, "{\"queues\": [\"greetings\"], \"kinds\": [\"hello\"]}");
}
