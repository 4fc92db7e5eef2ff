/* How a program that uses Manyhands is tested: each check ends it when it fails, and says why. Needs no server: `embedded:DIR`
 * starts a private one there. */
#include <manyhands.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the calls put what went wrong. */
static mh_error *error = NULL;

#define FAIL(why) (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, why), exit(1))
#define CHECK(condition) ((condition) ? (void)0 : FAIL(#condition))
#define CHECK_OK(call) ((call) == MH_CODE_OK ? (void)0 : FAIL(mh_error_message(error)))

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
    return mh_queue_put(client, "mail", "greet", data, options, NULL, NULL, &error);
}

static void test_a_handler_without_a_server(void)
{
    mh_job *job = NULL;
    CHECK_OK(mh_job_build("greet", "\"Ada\"", "{\"retries\": 3}", &job, &error));
    greet(job, NULL);
    CHECK(strcmp(mh_job_outcome_json(job), "{\"complete\":{\"result\":\"Hello, Ada!\"}}") == 0);
    mh_job_free(job);
}

static void test_what_is_put_without_a_server(mh_client *client)
{
    size_t count = 0;
    CHECK_OK(mh_client_record_puts(client, &error));
    CHECK_OK(sign_up(client, "Ada"));
    CHECK_OK(mh_client_assert_put(client, "greet", "{\"queue\": \"mail\", \"data\": \"Ada\", \"retries\": 3}", &error));
    CHECK_OK(mh_client_assert_not_put(client, "greet", "{\"data\": \"Grace\"}", &error));
    CHECK_OK(mh_client_recorded_puts(client, NULL, NULL, NULL, &count, &error));
    CHECK(count == 1);
    CHECK_OK(mh_client_send_puts(client, &error));
}

static void check_greeted(mh_client *client, const char *name)
{
    char arguments[96], result[96];
    char *job = NULL;
    snprintf(arguments, sizeof arguments, "{\"jid\": \"greet-%s\"}", name);
    snprintf(result, sizeof result, "\"result\":\"Hello, %s!\"", name);
    CHECK_OK(mh_client_call(client, "job_get", arguments, &job, &error));
    CHECK(strstr(job, result) != NULL);
    mh_string_free(job);
}

static void test_performed_when_asked(mh_client *client, mh_worker *worker)
{
    size_t count = 0;
    CHECK_OK(sign_up(client, "Grace"));
    CHECK_OK(mh_worker_drain(worker, greet, NULL, &count, &error));
    CHECK(count == 1);
    check_greeted(client, "Grace");
}

static void test_performed_at_once(mh_client *client, mh_worker *worker)
{
    CHECK_OK(mh_client_perform_inline(client, worker, greet, NULL, &error));
    CHECK_OK(sign_up(client, "Joan"));
    check_greeted(client, "Joan");
    CHECK_OK(mh_client_send_puts(client, &error));
}

int main(void)
{
    mh_client *client = NULL;
    mh_worker *worker = NULL;
    CHECK_OK(mh_client_open("embedded:.manyhands", "{\"namespace\": \"test\"}", &client, &error));
    CHECK_OK(mh_worker_open(client, "{\"queues\": [\"mail\"]}", &worker, &error));
    test_a_handler_without_a_server();
    test_what_is_put_without_a_server(client);
    test_performed_when_asked(client, worker);
    test_performed_at_once(client, worker);
    mh_worker_free(worker);
    mh_client_free(client);
    return 0;
}
