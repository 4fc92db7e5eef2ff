/* A trace goes from who puts a job to who performs it, and to the jobs that are put there. Its context, the traceparent of W3C that
 * OpenTelemetry speaks, travels in the job's headers. Needs no server: the default is a private one in .manyhands. */
#include <manyhands.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mh_client *client = NULL;
static mh_error *error = NULL;

static void must(mh_code code)
{
    if (code != MH_CODE_OK) {
        fprintf(stderr, "trace: %s: %s\n", mh_error_name(error), mh_error_message(error));
        exit(1);
    }
}

/* Stands for a library of OpenTelemetry: a span of a trace, told when it ends. */
struct span {
    const char *verb, *kind;
    char trace[33], id[17], parent[17], flags[3];
    struct span *outer;
};

/* The span in which this thread is. */
static _Thread_local struct span *current = NULL;

static void draw(char *hex, size_t bytes)
{
    unsigned char drawn[16];
    if (getentropy(drawn, bytes) != 0)
        abort();
    for (size_t at = 0; at < bytes; at++)
        snprintf(hex + 2 * at, 3, "%02x", drawn[at]);
}

/* Begins a span in the one that `traceparent` names; NULL, or what cannot be read: in a trace of its own. */
static void begin(struct span *span, const char *verb, const char *kind, const char *traceparent)
{
    *span = (struct span){.verb = verb, .kind = kind, .outer = current};
    if (traceparent == NULL ||
        sscanf(traceparent, "00-%32[0-9a-f]-%16[0-9a-f]-%2[0-9a-f]", span->trace, span->parent, span->flags) != 3 ||
        strlen(span->trace) != 32 || strlen(span->parent) != 16) {
        draw(span->trace, 16);
        strcpy(span->parent, "0000000000000000");
        strcpy(span->flags, "01");
    }
    draw(span->id, 8);
    current = span;
}

static void end(struct span *span)
{
    fprintf(stderr, "SPAN %s %s trace %s id %s parent %s\n", span->verb, span->kind, span->trace, span->id, span->parent);
    current = span->outer;
}

/* How the span is named to others. */
static const char *context(const struct span *span, char text[56])
{
    if (span == NULL)
        return NULL;
    snprintf(text, 56, "00-%s-%s-%s", span->trace, span->id, span->flags);
    return text;
}

/* Puts a job in a span of its own, which the job carries on. */
static void put(const char *kind, const char *data_json)
{
    struct span span;
    char text[56], options[128];
    begin(&span, "put", kind, context(current, text));
    snprintf(options, sizeof options, "{\"headers\": {\"traceparent\": \"%s\"}}", context(&span, text));
    must(mh_queue_put(client, "orders", kind, data_json, options, NULL, NULL, &error));
    end(&span);
}

/* A job that is put by a handler belongs to the same trace. */
static void handle(mh_job *job)
{
    if (strcmp(mh_job_kind(job), "order") == 0)
        put("invoice", mh_job_data(job));
    must(mh_job_complete(job, NULL, NULL, &error));
}

/* What is around every job stands around its handler. */
static void perform(mh_job *job)
{
    struct span span;
    static const char *const member = "\"traceparent\":\"";
    const char *carried = strstr(mh_job_headers_json(job), member); /* a larger program has a JSON library */
    begin(&span, "perform", mh_job_kind(job), carried != NULL ? carried + strlen(member) : NULL);
    handle(job);
    end(&span);
}

int main(void)
{
    mh_worker *worker = NULL;
    mh_job *job = NULL;

    must(mh_client_open(NULL, NULL, &client, &error));
    put("order", "7");

    must(mh_worker_open(client, "{\"queues\": [\"orders\"], \"kinds\": [\"order\", \"invoice\"]}", &worker, &error));
    for (int jobs = 0; jobs < 2; jobs++) {
        must(mh_worker_next(worker, UINT64_MAX, &job, &error));
        perform(job);
        mh_job_free(job);
    }

    must(mh_worker_stop(worker, -1, &error)); /* one order is enough */
    mh_worker_free(worker);
    mh_client_free(client);
    return 0;
}
