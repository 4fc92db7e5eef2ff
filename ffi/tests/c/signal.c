/* Signals: they cost no job, and are not lost themselves. */
#include "harness.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t signals = 0;

static void count_signal(int number)
{
    (void)number;
    signals = signals + 1;
}

/* SIGALRM after `first_us` and then every `every_us` microseconds (0: never again, 0 and 0: no more). Calls are not
   restarted. */
static void alarms(long first_us, long every_us)
{
    struct sigaction action;
    struct itimerval timer;
    memset(&action, 0, sizeof action);
    memset(&timer, 0, sizeof timer);
    action.sa_handler = count_signal;
    timer.it_value.tv_usec = first_us;
    timer.it_interval.tv_usec = every_us;
    CHECK_NUMBER(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_NUMBER(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

#define ROUNDS 200

static void signals_cost_no_job(void)
{
    mh_client *client = open_client();
    int done = 0, wrong = 0;
    check_count(client, "q", "waiting", 0);
    signals = 0;
    alarms(2000, 2000);
    for (int round = 0; round < ROUNDS; round++) {
        mh_job *job = NULL;
        size_t count = 0;
        wrong += mh_queue_put(client, "q", "work", "[1]", NULL, NULL, NULL, NULL) != MH_CODE_OK;
        wrong += mh_queue_reserve(client, "q", NULL, 1, &job, &count, NULL) != MH_CODE_OK;
        wrong += mh_job_complete(job, NULL, NULL, NULL) != MH_CODE_OK;
        done += count == 1;
        mh_job_free(job);
    }
    alarms(0, 0);
    CHECK_NUMBER(wrong, 0);
    CHECK_NUMBER(done, ROUNDS);
    CHECK(signals > 0);
    check_count(client, "q", "waiting", 0);
    check_count(client, "q", "running", 0);
    mh_client_free(client);
}

static void a_signal_is_delivered_while_next_waits(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    mh_job *job = NULL;
    signals = 0;
    alarms(20000, 0);
    for (int rounds = 0; rounds < 100 && signals == 0; rounds++) {
        CHECK_OK(mh_worker_next(worker, 100, &job, &failure));
        CHECK(job == NULL);
    }
    CHECK_NUMBER(signals, 1);
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_worker_free(worker);
    mh_client_free(client);
}

/* What each does to running handlers is tested in cli/tests/work. */
static void a_worker_obeys_the_signals_of_its_process(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    mh_job *job = NULL;
    const char *told;
    CHECK_OK(mh_worker_obey_signals(worker, &failure));
    CHECK_NUMBER(kill(getpid(), SIGUSR1), 0);
    CHECK_NUMBER(kill(getpid(), SIGQUIT), 0);
    CHECK_ERROR(mh_worker_next(worker, UINT64_MAX, &job, &failure), MH_CODE_CLOSED, "no more jobs");
    while ((told = mh_worker_take_signal(worker)) == NULL)
        sched_yield();
    CHECK_TEXT(told, "QUIT");
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_worker_free(worker);
    mh_client_free(client);
}

static int status_of_a_child(void (*run)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        run();
        _exit(0);
    }
    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

static void raise_term(void)
{
    raise(SIGTERM);
}

static void a_forked_child_dies_of_signals_as_ever(void)
{
    mh_client *client = open_client();
    mh_worker *worker = open_worker(client, "q", 1);
    CHECK_OK(mh_worker_obey_signals(worker, &failure));
    int status = status_of_a_child(raise_term);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CHECK_OK(mh_worker_stop(worker, -1, &failure));
    mh_worker_free(worker);
    mh_client_free(client);
}

const struct test signal_tests[] = {
    {"signals cost no job", signals_cost_no_job},
    {"a signal is delivered while next waits", a_signal_is_delivered_while_next_waits},
    {"a worker obeys the signals of its process", a_worker_obeys_the_signals_of_its_process},
    {"a forked child dies of signals as ever", a_forked_child_dies_of_signals_as_ever},
    END_OF_TESTS,
};
