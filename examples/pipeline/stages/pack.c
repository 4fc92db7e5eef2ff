/*
 * Stage 4, C: checks that the file is still the one that was read, and writes its record into the output folder.
 *
 * From the job:  path, sha256, record (where the record belongs), and all the rest
 * Into the job:  nothing; the record is the job's data as it is now
 */
#define _GNU_SOURCE
#include "record.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <manyhands.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *KIND = "document";

static void die(const char *what, mh_error *error)
{
    fprintf(stderr, "pack: %s: %s\n", what, mh_error_message(error));
    mh_error_free(error);
    exit(1);
}

static const char *text_of(const cJSON *data, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, name));
}

static void add_step(cJSON *data)
{
    char language[16];
    snprintf(language, sizeof language, "C %ld", __STDC_VERSION__ / 100 % 100);
    cJSON *step = cJSON_CreateObject();
    cJSON_AddStringToObject(step, "stage", "pack");
    cJSON_AddStringToObject(step, "language", language);
    cJSON_AddNumberToObject(step, "pid", getpid());
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(data, "journey"), step);
}

static mh_code complete(mh_job *job, const char *record, size_t length, mh_error **out_error)
{
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "record", record);
    cJSON_AddNumberToObject(result, "bytes", (double)length);
    char *result_json = cJSON_PrintUnformatted(result);
    mh_code code = mh_job_complete(job, result_json, NULL, out_error);
    free(result_json);
    cJSON_Delete(result);
    return code;
}

/* Performs one job and ends its run, in whichever way. */
static mh_code perform(mh_job *job, cJSON *data, mh_error **out_error)
{
    const char *path = text_of(data, "path"), *sha256 = text_of(data, "sha256"), *record = text_of(data, "record");
    if (!path || !sha256 || !record)
        return mh_job_fail(job, "bad-data", "path, sha256 or record is not in the job's data", NULL, out_error);
    char found[SHA256_TEXT];
    if (!record_checksum(path, found))
        return mh_job_fail(job, "unreadable", strerror(errno), NULL, out_error);
    if (strcmp(found, sha256) != 0)
        return mh_job_fail(job, "changed", "the file is not the one that was read: its checksum differs", NULL, out_error);
    add_step(data);
    char *bytes = cJSON_PrintUnformatted(data);
    size_t length = strlen(bytes);
    /* A full disk may pass: an error is tried again, a failure is not. */
    mh_code code = record_write(record, bytes, length)
                       ? complete(job, record, length, out_error)
                       : mh_job_error(job, strerrorname_np(errno), strerror(errno), NULL, out_error);
    free(bytes);
    return code;
}

static void handle(mh_job *job)
{
    mh_error *error = NULL;
    mh_code code;
    if (strcmp(mh_job_kind(job), KIND) != 0) {
        code = mh_job_finish(job, "{\"unknown_kind\":{}}", NULL, &error);
    } else {
        cJSON *data = cJSON_Parse(mh_job_data(job));
        code = perform(job, data, &error);
        cJSON_Delete(data);
    }
    if (code != MH_CODE_OK) {
        fprintf(stderr, "pack: job %s: %s\n", mh_job_jid(job), mh_error_message(error));
        mh_error_free(error);
    }
}

static sigset_t stop_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

/* A thread waits here for the signal to stop: no more jobs then, and mh_worker_next() ends. */
static void *quiet_when_told(void *worker)
{
    sigset_t signals = stop_signals();
    int number;
    sigwait(&signals, &number);
    mh_worker_quiet(worker, NULL);
    return NULL;
}

int main(void)
{
    const char *pace = getenv("PACE_MS");
    useconds_t pace_us = pace ? (useconds_t)atoi(pace) * 1000 : 0;
    mh_error *error = NULL;
    mh_client *client = NULL;
    mh_worker *worker = NULL;
    mh_job *job = NULL;
    pthread_t quieter;
    sigset_t signals = stop_signals();

    /* Before any other thread starts, so that none but quieter receives them. */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (mh_client_open(NULL, NULL, &client, &error) != MH_CODE_OK)
        die("cannot open the client", error);
    if (mh_worker_open(client, "{\"queues\":[\"pack\"],\"kinds\":[\"document\"]}", &worker, &error) != MH_CODE_OK)
        die("cannot open the worker", error);
    pthread_create(&quieter, NULL, quiet_when_told, worker);

    mh_code code;
    while ((code = mh_worker_next(worker, UINT64_MAX, &job, &error)) == MH_CODE_OK) {
        if (!job)
            continue;
        usleep(pace_us);
        handle(job);
        mh_job_free(job);
    }
    if (code != MH_CODE_CLOSED)
        die("no more jobs", error);
    mh_error_free(error);
    pthread_join(quieter, NULL);

    error = NULL;
    if (mh_worker_stop(worker, -1, &error) != MH_CODE_OK)
        die("stopped with work undelivered", error);
    mh_worker_free(worker);
    mh_client_free(client);
    return 0;
}
