/* Events: what happens to tracked jobs is told, until the subscription is closed. */
#include "harness.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static mh_events *listen_to(mh_client *client, const char *options)
{
    mh_events *events = NULL;
    CHECK_OK(mh_events_open(client, options, &events, &failure));
    return events;
}

/* The next event contains `part`; it comes within 10 s. */
static void check_event(mh_events *events, const char *part)
{
    char *event = NULL;
    CHECK_OK(mh_events_next(events, 10000, &event, &failure));
    CHECK_CONTAINS(event, part);
    mh_string_free(event);
}

static void tracked_jobs_are_told_of(void)
{
    mh_client *client = open_client();
    mh_events *events = listen_to(client, NULL);
    mh_string_free(put(client, "q", "work", NULL, "{\"jid\":\"untold\"}"));
    mh_string_free(put(client, "q", "work", NULL, "{\"jid\":\"a\",\"priority\":1}"));
    mh_string_free(call(client, "job_track", "{\"jids\":[\"a\"]}"));
    mh_job *job = reserve(client, "q");
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    mh_job_free(job);
    check_event(events, "\"event\":\"track\",\"jid\":\"a\",\"kind\":\"work\",\"queue\":\"q\",\"worker\":null");
    check_event(events, "\"event\":\"reserved\"");
    check_event(events, "\"event\":\"completed\"");
    char *event = UNTOUCHED(char);
    CHECK_OK(mh_events_next(events, 0, &event, &failure));
    CHECK(event == NULL);
    CHECK_OK(mh_events_next(events, 30, &event, &failure));
    CHECK(event == NULL);
    CHECK_NUMBER(mh_events_gaps(events), 0);
    mh_events_free(events);
    mh_events_free(NULL);
    mh_client_free(client);
}

static void chosen_events_and_a_worker_are_heard(void)
{
    mh_client *client = open_client();
    mh_string_free(call(client, "config_set", "{\"name\":\"events\",\"value\":\"all\"}"));
    mh_events *chosen = listen_to(client, "{\"what\":[\"reserved\"]}");
    mh_events *mine = listen_to(client, "{\"worker\":\"me\"}");
    mh_string_free(put(client, "q", "work", NULL, "{\"jid\":\"a\"}"));
    mh_job *job = NULL;
    size_t count = 0;
    CHECK_OK(mh_queue_reserve(client, "q", "me", 1, &job, &count, &failure));
    mh_string_free(call(client, "job_cancel", "{\"jids\":[\"a\"]}"));
    check_event(chosen, "\"event\":\"reserved\"");
    check_event(mine, "\"event\":\"cancelled\",\"jid\":\"a\",\"kind\":\"work\",\"queue\":\"q\",\"worker\":\"me\"");
    mh_job_free(job);
    mh_events_free(chosen);
    mh_client_free(client);
    mh_events_free(mine);
}

/* Cuts the connections of all subscriptions. */
static void cut_subscriptions(void)
{
    static const char command[] = "CLIENT KILL TYPE pubsub\r\n";
    struct sockaddr_un address;
    char answer[32] = "";
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    CHECK_NUMBER(strncmp(server_url(), "unix://", 7), 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server_url() + 7);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_NUMBER(connect(server, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_NUMBER(write(server, command, strlen(command)), strlen(command));
    CHECK(read(server, answer, sizeof answer - 1) > 0);
    CHECK_NUMBER(answer[0], ':');
    close(server);
}

static void what_is_told_while_the_connection_is_away_is_heard(void)
{
    mh_client *client = open_client();
    mh_string_free(call(client, "config_set", "{\"name\":\"events\",\"value\":\"all\"}"));
    mh_events *events = listen_to(client, "{\"what\":[\"put\"]}");
    mh_string_free(put(client, "q", "work", NULL, "{\"jid\":\"before\"}"));
    check_event(events, "\"before\"");
    cut_subscriptions();
    mh_string_free(put(client, "q", "work", NULL, "{\"jid\":\"meanwhile\"}"));
    check_event(events, "\"meanwhile\"");
    mh_string_free(put(client, "q", "work", NULL, "{\"jid\":\"after\"}"));
    check_event(events, "\"after\"");
    CHECK_NUMBER(mh_events_gaps(events), 0);
    mh_events_free(events);
    mh_client_free(client);
}

static void *wait_for_close(void *events)
{
    char *event = UNTOUCHED(char);
    mh_code code = mh_events_next((mh_events *)events, UINT64_MAX, &event, NULL);
    return code == MH_CODE_CLOSED && event == UNTOUCHED(char) ? events : NULL;
}

static void closing_ends_the_wait_of_other_threads(void)
{
    mh_client *client = open_client();
    mh_events *events = listen_to(client, "{}");
    pthread_t threads[3];
    for (int index = 0; index < 3; index++)
        CHECK_NUMBER(pthread_create(&threads[index], NULL, wait_for_close, events), 0);
    CHECK_OK(mh_events_close(events, &failure));
    CHECK_OK(mh_events_close(events, &failure));
    for (int index = 0; index < 3; index++) {
        void *closed = NULL;
        CHECK_NUMBER(pthread_join(threads[index], &closed), 0);
        CHECK(closed == events);
    }
    char *event = NULL;
    CHECK_ERROR(mh_events_next(events, 0, &event, &failure), MH_CODE_CLOSED, "the subscription is closed");
    mh_events_free(events);
    events = listen_to(client, NULL);
    CHECK_OK(mh_client_close(client, &failure));
    CHECK_ERROR(mh_events_next(events, UINT64_MAX, &event, &failure), MH_CODE_CLOSED, "closed");
    mh_events_free(events);
    mh_client_free(client);
}

static void subscriptions_are_refused(void)
{
    mh_client *client = open_client();
    mh_events *events = UNTOUCHED(mh_events);
    char *event = UNTOUCHED(char);
    CHECK_INVALID(mh_events_open(NULL, NULL, &events, &failure), "client is NULL");
    CHECK_INVALID(mh_events_open(client, NULL, NULL, &failure), "out_events is NULL");
    CHECK_INVALID(mh_events_open(client, "[]", &events, &failure), "options_json must be a JSON object");
    CHECK_INVALID(mh_events_open(client, "{\"what\":[\"done\"]}", &events, &failure), "options.what[0] \"done\"");
    CHECK_INVALID(mh_events_open(client, "{\"worker\":\"\"}", &events, &failure), "options.worker is empty");
    CHECK_INVALID(mh_events_open(client, "{\"jid\":\"a\"}", &events, &failure), "options.jid is unknown");
    CHECK(events == UNTOUCHED(mh_events));
    events = listen_to(client, NULL);
    CHECK_INVALID(mh_events_next(NULL, 0, &event, &failure), "events is NULL");
    CHECK_INVALID(mh_events_next(events, 0, NULL, &failure), "out_event_json is NULL");
    CHECK_INVALID(mh_events_close(NULL, &failure), "events is NULL");
    CHECK(event == UNTOUCHED(char));
    CHECK_NUMBER(mh_events_gaps(NULL), 0);
    mh_events_free(events);
    mh_client_free(client);
}

const struct test events_tests[] = {
    {"tracked jobs are told of", tracked_jobs_are_told_of},
    {"chosen events and a worker are heard", chosen_events_and_a_worker_are_heard},
    {"what is told while the connection is away is heard", what_is_told_while_the_connection_is_away_is_heard},
    {"closing ends the wait of other threads", closing_ends_the_wait_of_other_threads},
    {"subscriptions are refused", subscriptions_are_refused},
    END_OF_TESTS,
};
