/* How a program that uses Manyhands is tested: each check ends it when it fails. Needs no server: `embedded:DIR` starts a private one
 * there. */
#include <manyhands.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), exit(1)))
#define CHECK_OK(call) CHECK((call) == MH_CODE_OK)

/* The program: who signs up is greeted. */
static void greet(mh_job *job, void *user_data)
{
    char name[64] = "", result[96];
    (void)user_data;
    sscanf(mh_job_data(job), "\"%63[^\"]", name); /* a larger program has a JSON library */
    snprintf(result, sizeof result, "\"Hello, %s!\"", name);
    mh_job_complete(job, result, NULL, NULL);
}

static mh_code sign_up(mh_client *client, const char *name)
{
    char data[96], options[96];
    snprintf(data, sizeof data, "\"%s\"", name);
    snprintf(options, sizeof options, "{\"jid\": \"greet-%s\", \"retries\": 3}", name);
    return mh_queue_put(client, "mail", "greet", data, options, NULL, NULL, NULL);
}

static void test_a_handler_without_a_server(void)
{
    mh_job *job = NULL;
    CHECK_OK(mh_job_build("greet", "\"Ada\"", "{\"retries\": 3}", &job, NULL));
    greet(job, NULL);
    CHECK(strcmp(mh_job_outcome_json(job), "{\"complete\":{\"result\":\"Hello, Ada!\"}}") == 0);
    mh_job_free(job);
}

/* The last put, as mh_client_hooks tells it. */
static void record(void *user_data, const char *jobs_json)
{
    snprintf((char *)user_data, 512, "%s", jobs_json);
}

static void test_what_is_put(mh_client *client)
{
    char put[512] = "";
    mh_client_hooks hooks = {put, record, NULL};
    CHECK_OK(mh_client_hook(client, &hooks, NULL));
    CHECK_OK(sign_up(client, "Ada"));
    CHECK(strstr(put, "\"kind\":\"greet\"") != NULL);
    CHECK(strstr(put, "\"retries\":3") != NULL);
}

static void test_performed_when_asked(mh_client *client)
{
    mh_worker *worker = NULL;
    char *job = NULL;
    size_t count = 0;
    CHECK_OK(sign_up(client, "Grace"));
    CHECK_OK(mh_worker_open(client, "{\"queues\": [\"mail\"]}", &worker, NULL));
    CHECK_OK(mh_worker_drain(worker, greet, NULL, &count, NULL));
    CHECK(count == 1);
    CHECK_OK(mh_client_call(client, "job_get", "{\"jid\": \"greet-Grace\"}", &job, NULL));
    CHECK(strstr(job, "\"result\":\"Hello, Grace!\"") != NULL);
    mh_string_free(job);
    mh_worker_free(worker);
}

/* A client of the test's own. */
static mh_client *open_client(const char *test)
{
    mh_client *client = NULL;
    char options[96];
    snprintf(options, sizeof options, "{\"namespace\": \"test-%s\"}", test);
    CHECK_OK(mh_client_open("embedded:.manyhands", options, &client, NULL));
    return client;
}

int main(void)
{
    mh_client *putting = open_client("puts"), *draining = open_client("drains");
    test_a_handler_without_a_server();
    test_what_is_put(putting);
    test_performed_when_asked(draining);
    mh_client_free(draining);
    mh_client_free(putting);
    return 0;
}
