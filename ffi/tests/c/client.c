/* The client: the door, threads, closing. */
#include "harness.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void versions_agree(void)
{
    char parts[32];
    CHECK_TEXT(mh_version(), MH_VERSION);
    snprintf(parts, sizeof parts, "%d.%d.%d", MH_VERSION_MAJOR, MH_VERSION_MINOR, MH_VERSION_PATCH);
    CHECK_TEXT(parts, MH_VERSION);
}

static void knows_where_it_is(void)
{
    mh_client *client = NULL;
    CHECK_OK(mh_client_open(server_url(), "{\"namespace\":\"where\"}", &client, &failure));
    CHECK_TEXT(mh_client_url(client), server_url());
    CHECK_TEXT(mh_client_namespace(client), "where");
    CHECK(mh_client_url(NULL) == NULL);
    CHECK(mh_client_namespace(NULL) == NULL);
    mh_client_free(client);
    mh_client_free(NULL);
}

static void any_operation_goes_through_the_door(void)
{
    mh_client *client = open_client();
    char *reply = NULL;
    CHECK_OK(mh_client_call(client, "engine_version", NULL, &reply, &failure));
    CHECK_CONTAINS(reply, "\"major\":1");
    mh_string_free(reply);
    reply = call(client, "queue_put", "{\"jobs\":[{\"queue\":\"q\",\"kind\":\"work\",\"jid\":\"one\"}]}");
    CHECK_TEXT(reply, "[{\"jid\":\"one\",\"outcome\":\"put\",\"satisfied\":[]}]");
    mh_string_free(reply);
    CHECK_OK(mh_client_call(client, "queue_counts", "{\"queue\":\"q\"}", NULL, &failure));
    check_count(client, "q", "waiting", 1);
    mh_client_free(client);
}

static void a_closed_client_says_so(void)
{
    mh_client *client = open_client();
    check_count(client, "q", "waiting", 0);
    CHECK_OK(mh_client_close(client, &failure));
    CHECK_OK(mh_client_close(client, &failure));
    char *reply = NULL;
    CHECK_ERROR(mh_client_call(client, "queue_counts", "{\"queue\":\"q\"}", &reply, &failure), MH_CODE_CLOSED,
                "the client is closed");
    CHECK(reply == NULL);
    mh_client_free(client);
}

#define THREADS 4
#define PUTS 25

static void *put_some(void *client)
{
    static char wrong[] = "wrong";
    for (int done = 0; done < PUTS; done++)
        if (mh_queue_put((mh_client *)client, "q", "work", "[1]", NULL, NULL, NULL, NULL) != MH_CODE_OK)
            return wrong;
    return NULL;
}

static void threads_share_a_client(void)
{
    mh_client *client = open_client();
    pthread_t threads[THREADS];
    for (int index = 0; index < THREADS; index++)
        CHECK_NUMBER(pthread_create(&threads[index], NULL, put_some, client), 0);
    int wrong = 0;
    for (int index = 0; index < THREADS; index++) {
        void *result = NULL;
        CHECK_NUMBER(pthread_join(threads[index], &result), 0);
        wrong += result != NULL;
    }
    CHECK_NUMBER(wrong, 0);
    check_count(client, "q", "waiting", THREADS * PUTS);
    mh_client_free(client);
}

const struct test client_tests[] = {
    {"header and library are of one version", versions_agree},
    {"a client knows where it is", knows_where_it_is},
    {"any operation goes through the door", any_operation_goes_through_the_door},
    {"a closed client says so", a_closed_client_says_so},
    {"threads share a client", threads_share_a_client},
    END_OF_TESTS,
};
