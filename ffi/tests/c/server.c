/* Servers that are absent, closed to us, or die in the middle: what callers are told, and that everything goes on when
   they are back. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void servers_are_not_reached(void)
{
    char url[512], *reply = UNTOUCHED(char);
    mh_client *client = NULL;
    CHECK_OK(mh_client_open("unix:///nonexistent/redis.sock", NULL, &client, &failure));
    CHECK_NUMBER(mh_client_call(client, "queue_counts", "{\"queue\":\"q\"}", &reply, &failure), MH_CODE_UNAVAILABLE);
    CHECK_CONTAINS(mh_error_message(failure), "/nonexistent/redis.sock");
    CHECK_TEXT(mh_error_operation(failure), "queue_counts");
    CHECK(mh_error_retryable(failure));
    mh_error_free(failure);
    failure = NULL;
    CHECK_ERROR(mh_queue_put(client, "q", "work", NULL, NULL, &reply, NULL, &failure), MH_CODE_UNAVAILABLE, "cannot reach");
    mh_client_free(client);

    CHECK_OK(mh_client_open(locked_url(), NULL, &client, &failure));
    CHECK_ERROR(mh_queue_put(client, "q", "work", NULL, NULL, &reply, NULL, &failure), MH_CODE_DENIED, "NOAUTH");
    mh_client_free(client);

    snprintf(url, sizeof url, "%s?password=wrong", locked_url());
    CHECK_OK(mh_client_open(url, NULL, &client, &failure));
    CHECK_ERROR(mh_queue_put(client, "q", "work", NULL, NULL, &reply, NULL, &failure), MH_CODE_DENIED, "WRONGPASS");
    mh_worker *worker = open_worker(client, "q", 1);
    mh_job *job = UNTOUCHED(mh_job);
    CHECK_ERROR(mh_worker_next(worker, 10000, &job, &failure), MH_CODE_DENIED, "WRONGPASS");
    CHECK(job == UNTOUCHED(mh_job));
    mh_worker_free(worker);
    mh_client_free(client);

    snprintf(url, sizeof url, "%s?password=open", locked_url());
    CHECK_OK(mh_client_open(url, NULL, &client, &failure));
    CHECK_OK(mh_queue_put(client, "q", "work", NULL, NULL, NULL, NULL, &failure));
    mh_client_free(client);
    CHECK(reply == UNTOUCHED(char));
}

static void certificates_do_not_fit(void)
{
    char url[512];
    mh_client *client = NULL;
    snprintf(url, sizeof url, "%sother.pem", tls_url());
    CHECK_OK(mh_client_open(url, NULL, &client, &failure));
    CHECK_ERROR(mh_queue_put(client, "q", "work", NULL, NULL, NULL, NULL, &failure), MH_CODE_DENIED, "certificate");
    mh_client_free(client);
    client = UNTOUCHED(mh_client);
    snprintf(url, sizeof url, "%snone.pem", tls_url());
    CHECK_INVALID(mh_client_open(url, NULL, &client, &failure), "none.pem");
    CHECK(client == UNTOUCHED(mh_client));
}

static void no_server_program_is_found(void)
{
    char path[4096];
    char folder[] = "/tmp/manyhands-XXXXXX";
    char url[64];
    mh_client *client = NULL;
    CHECK(getenv("PATH") != NULL && mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s", getenv("PATH"));
    snprintf(url, sizeof url, "embedded:%s", folder);
    CHECK_OK(mh_client_open(url, NULL, &client, &failure));
    setenv("PATH", "/nonexistent", 1);
    mh_code code = mh_queue_put(client, "q", "work", NULL, NULL, NULL, NULL, &failure);
    setenv("PATH", path, 1);
    CHECK_ERROR(code, MH_CODE_NO_SERVER_PROGRAM, "redis-server");
    mh_client_free(client);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_NUMBER(system(command), 0);
}

/* A server of the test's own. */
struct server {
    char folder[32], url[64];
    pid_t process;
};

/* Starts the server, in its folder; it keeps what it has acknowledged. */
static void start(struct server *server)
{
    server->process = fork();
    CHECK(server->process >= 0);
    if (server->process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (chdir(server->folder) == 0)
            execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", "redis.sock", "--save", "",
                   "--appendonly", "yes", "--appendfsync", "always", "--logfile", "redis.log", (char *)NULL);
        _exit(127);
    }
}

static void create(struct server *server)
{
    strcpy(server->folder, "/tmp/manyhands-XXXXXX");
    CHECK(mkdtemp(server->folder) != NULL);
    snprintf(server->url, sizeof server->url, "unix://%s/redis.sock", server->folder);
    start(server);
}

/* It has no time to say goodbye. */
static void kill_now(struct server *server)
{
    CHECK_NUMBER(kill(server->process, SIGKILL), 0);
    CHECK_NUMBER(waitpid(server->process, NULL, 0), server->process);
}

static void delete_all(struct server *server)
{
    char command[64];
    kill_now(server);
    snprintf(command, sizeof command, "rm -r %s", server->folder);
    CHECK_NUMBER(system(command), 0);
}

/* A client that has talked to the server. */
static mh_client *connect_to(const struct server *server, int timeout_ms)
{
    const struct timespec pause = {0, 10000000};
    char options[64];
    mh_client *client = NULL;
    mh_code code;
    snprintf(options, sizeof options, "{\"timeout_ms\":%d}", timeout_ms);
    CHECK_OK(mh_client_open(server->url, options, &client, &failure));
    for (int tries = 0; tries < 1000; tries++) {
        code = mh_client_call(client, "queue_counts", "{\"queue\":\"q\"}", NULL, NULL);
        if (code != MH_CODE_UNAVAILABLE && code != MH_CODE_TIMEOUT)
            break;
        nanosleep(&pause, NULL);
    }
    CHECK_NUMBER(code, MH_CODE_OK);
    return client;
}

static void callers_are_told(void)
{
    struct server server;
    create(&server);
    mh_client *reader = connect_to(&server, 300);
    mh_client *writer = connect_to(&server, 300);
    mh_client *idle = connect_to(&server, 300);
    mh_client *patient = connect_to(&server, 60000);
    CHECK_NUMBER(kill(server.process, SIGSTOP), 0);

    /* Both calls reach the server, which does not answer. */
    char *reply = NULL;
    CHECK_NUMBER(mh_client_call(reader, "queue_counts", "{\"queue\":\"q\"}", &reply, &failure), MH_CODE_TIMEOUT);
    CHECK(mh_error_retryable(failure));
    CHECK_CONTAINS(mh_error_message(failure), "300 ms");
    mh_error_free(failure);
    failure = NULL;
    CHECK_NUMBER(mh_queue_put(writer, "q", "work", NULL, NULL, &reply, NULL, &failure), MH_CODE_OUTCOME_UNKNOWN);
    CHECK(!mh_error_retryable(failure));
    CHECK_TEXT(mh_error_operation(failure), "queue_put");
    mh_error_free(failure);
    failure = NULL;

    /* What cannot be sent has not happened: the first of these calls has a connection that worked, the others find none. */
    kill_now(&server);
    for (int tries = 0; tries < 2; tries++)
        CHECK_ERROR(mh_queue_put(idle, "q", "work", NULL, NULL, &reply, NULL, &failure), MH_CODE_UNAVAILABLE, "cannot reach");
    CHECK_ERROR(mh_client_call(reader, "queue_counts", "{\"queue\":\"q\"}", &reply, &failure), MH_CODE_UNAVAILABLE,
                "cannot reach");
    CHECK(reply == NULL);

    start(&server);
    CHECK_OK(mh_queue_put(patient, "q", "work", NULL, NULL, NULL, NULL, &failure));
    check_count(patient, "q", "waiting", 1);
    CHECK_OK(mh_queue_put(writer, "q", "work", NULL, NULL, NULL, NULL, &failure));
    CHECK_OK(mh_queue_put(idle, "q", "work", NULL, NULL, NULL, NULL, &failure));
    check_count(reader, "q", "waiting", 3);
    mh_client_free(reader);
    mh_client_free(writer);
    mh_client_free(idle);
    mh_client_free(patient);
    delete_all(&server);
}

static void a_worker_outlives_its_server(void)
{
    struct server server;
    create(&server);
    mh_client *client = connect_to(&server, 60000);
    mh_worker *worker = open_worker(client, "q", 1);
    char *first = put(client, "q", "work", NULL, NULL);
    mh_job *job = next(worker);
    kill_now(&server);
    CHECK_OK(mh_job_complete(job, "[1]", NULL, &failure));
    mh_job_free(job);
    job = NULL;
    CHECK_OK(mh_worker_next(worker, 100, &job, &failure));
    CHECK(job == NULL);

    start(&server);
    char *second = put(client, "q", "work", NULL, NULL);
    job = next(worker);
    CHECK_TEXT(mh_job_jid(job), second);
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    mh_job_free(job);
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    check_job(client, first, "\"state\":\"completed\"");
    check_job(client, second, "\"state\":\"completed\"");
    char *refused = NULL;
    CHECK_OK(mh_worker_take_refused(worker, &refused, &failure));
    CHECK(refused == NULL);
    mh_string_free(first);
    mh_string_free(second);
    mh_worker_free(worker);
    mh_client_free(client);
    delete_all(&server);
}

static void undelivered_outcomes_are_told_at_the_stop(void)
{
    struct server server;
    create(&server);
    mh_client *client = connect_to(&server, 300);
    mh_worker *worker = open_worker(client, "q", 1);
    mh_string_free(put(client, "q", "work", NULL, NULL));
    mh_job *job = next(worker);
    kill_now(&server);
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    CHECK_ERROR(mh_worker_stop(worker, 0, &failure), MH_CODE_UNAVAILABLE, "1 outcome");
    mh_job_free(job);
    mh_worker_free(worker);
    mh_client_free(client);
    start(&server);
    delete_all(&server);
}

const struct test server_tests[] = {
    {"servers are not reached", servers_are_not_reached},
    {"certificates do not fit", certificates_do_not_fit},
    {"no server program is found", no_server_program_is_found},
    {"callers are told of a dead server, and find it again", callers_are_told},
    {"a worker outlives its server", a_worker_outlives_its_server},
    {"undelivered outcomes are told at the stop", undelivered_outcomes_are_told_at_the_stop},
    END_OF_TESTS,
};
