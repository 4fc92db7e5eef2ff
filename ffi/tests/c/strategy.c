/* The strategy "callback": a function chooses among the queues. */
#include "harness.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What a function answers, and what it was asked. */
struct chooser {
    size_t answer;
    size_t order[4];
    size_t asked;
    char queues[64];
};

static size_t choose(void *user_data, const char *const *queues, size_t count, size_t *out_order)
{
    struct chooser *chooser = (struct chooser *)user_data;
    size_t length = 0;
    chooser->asked++;
    for (size_t at = 0; at < count; at++)
        length += (size_t)snprintf(chooser->queues + length, sizeof chooser->queues - length, "%s ", queues[at]);
    for (size_t at = 0; at < chooser->answer && at < count; at++)
        out_order[at] = chooser->order[at];
    return chooser->answer;
}

/* At first nothing, then every queue. */
static size_t choose_later(void *user_data, const char *const *queues, size_t count, size_t *out_order)
{
    struct chooser *chooser = (struct chooser *)user_data;
    (void)queues;
    for (size_t at = 0; at < count; at++)
        out_order[at] = at;
    return chooser->asked++ == 0 ? 0 : count;
}

static mh_worker *open_chosen(mh_client *client, const char *queues, mh_choose function, struct chooser *chooser)
{
    char options[160];
    mh_worker *worker = NULL;
    snprintf(options, sizeof options, "{\"queues\":[%s],\"strategy\":\"callback\"}", queues);
    CHECK_OK(mh_worker_open(client, options, &worker, &failure));
    CHECK_OK(mh_worker_choose(worker, function, chooser, &failure));
    return worker;
}

static void perform_from(mh_worker *worker, const char *queue)
{
    mh_job *job = next(worker);
    CHECK_TEXT(mh_job_queue(job), queue);
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    mh_job_free(job);
}

static void stop_and_free(mh_worker *worker, mh_client *client)
{
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_worker_free(worker);
    mh_client_free(client);
}

static void a_function_chooses_before_every_job(void)
{
    struct chooser chooser = {2, {2, 1}, 0, ""};
    mh_client *client = open_client();
    mh_worker *worker = open_chosen(client, "\"a\",\"b\",\"c\"", choose, &chooser);
    mh_string_free(put(client, "a", "work", NULL, NULL));
    mh_string_free(put(client, "b", "work", NULL, NULL));
    mh_string_free(put(client, "c", "work", NULL, NULL));
    perform_from(worker, "c");
    CHECK_TEXT(chooser.queues, "a b c ");
    perform_from(worker, "b");
    CHECK_NUMBER(chooser.asked, 2);
    check_count(client, "a", "waiting", 1);
    chooser.order[0] = 0;
    perform_from(worker, "a");
    stop_and_free(worker, client);
}

static void it_chooses_among_what_patterns_stand_for(void)
{
    struct chooser chooser = {1, {1}, 0, ""};
    mh_client *client = open_client();
    mh_worker *worker = open_chosen(client, "\"mail-*\"", choose, &chooser);
    mh_string_free(put(client, "mail-a", "work", NULL, NULL));
    mh_string_free(put(client, "mail-b", "work", NULL, NULL));
    perform_from(worker, "mail-b");
    CHECK_TEXT(chooser.queues, "mail-a mail-b ");
    stop_and_free(worker, client);
}

static void it_is_asked_again_while_no_job_comes(void)
{
    struct chooser chooser = {0, {0}, 0, ""};
    mh_client *client = open_client();
    mh_worker *worker = open_chosen(client, "\"q\"", choose_later, &chooser);
    mh_string_free(put(client, "q", "work", NULL, NULL));
    perform_from(worker, "q");
    CHECK_NUMBER(chooser.asked, 2);
    stop_and_free(worker, client);
}

static void an_order_stays_when_the_function_has_none(void)
{
    struct chooser chooser = {1, {1}, 0, ""};
    mh_client *client = open_client();
    mh_worker *worker = open_chosen(client, "\"a\",\"b\"", choose, &chooser);
    mh_job *job = NULL;
    mh_string_free(put(client, "a", "work", NULL, NULL));
    mh_string_free(put(client, "b", "work", NULL, NULL));
    mh_string_free(put(client, "b", "work", NULL, NULL));
    perform_from(worker, "b");
    chooser.answer = SIZE_MAX;
    perform_from(worker, "b");
    CHECK_OK(mh_worker_next(worker, 0, &job, &failure));
    CHECK(job == NULL);
    CHECK_NUMBER(chooser.asked, 3);
    stop_and_free(worker, client);
}

static void an_answer_out_of_bounds_is_refused(void)
{
    struct chooser chooser = {1, {2}, 0, ""};
    mh_client *client = open_client();
    mh_worker *worker = open_chosen(client, "\"a\",\"b\"", choose, &chooser);
    mh_job *job = UNTOUCHED(mh_job);
    CHECK_INVALID(mh_worker_next(worker, 0, &job, &failure), "answered index 2, and there are 2 queues");
    chooser.answer = 3;
    CHECK_INVALID(mh_worker_next(worker, 0, &job, &failure), "answered 3 of 2 queues");
    CHECK(job == UNTOUCHED(mh_job));
    stop_and_free(worker, client);
}

static void a_strategy_and_its_function_belong_together(void)
{
    struct chooser chooser = {0, {0}, 0, ""};
    mh_client *client = open_client();
    mh_worker *worker = NULL;
    mh_job *job = NULL;
    CHECK_OK(mh_worker_open(client, "{\"queues\":[\"q\"],\"strategy\":\"callback\"}", &worker, &failure));
    CHECK_INVALID(mh_worker_choose(worker, NULL, NULL, &failure), "choose is NULL");
    CHECK_INVALID(mh_worker_choose(NULL, choose, NULL, &failure), "worker is NULL");
    CHECK_ERROR(mh_worker_next(worker, 0, &job, &failure), MH_CODE_WRONG_STATE, "callback needs a function");
    mh_worker_free(worker);

    /* What the user set from outside wins. */
    worker = open_worker(client, "q", 1);
    CHECK_OK(mh_worker_choose(worker, choose, &chooser, &failure));
    mh_string_free(put(client, "q", "work", NULL, NULL));
    perform_from(worker, "q");
    CHECK_NUMBER(chooser.asked, 0);
    stop_and_free(worker, client);
}

const struct test strategy_tests[] = {
    {"a function chooses before every job", a_function_chooses_before_every_job},
    {"it chooses among what patterns stand for", it_chooses_among_what_patterns_stand_for},
    {"it is asked again while no job comes", it_is_asked_again_while_no_job_comes},
    {"an order stays when the function has none", an_order_stays_when_the_function_has_none},
    {"an answer out of bounds is refused", an_answer_out_of_bounds_is_refused},
    {"a strategy and its function belong together", a_strategy_and_its_function_belong_together},
    END_OF_TESTS,
};
