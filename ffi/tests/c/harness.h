/* What the tests of the C library share. A check that fails ends its test with a line that says where; the others run. */
#ifndef HARNESS_H
#define HARNESS_H

#include <manyhands.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct test {
    const char *name;
    void (*run)(void);
};

/* Ends each file's list of tests. */
#define END_OF_TESTS {NULL, NULL}

extern const struct test client_tests[], crew_tests[], error_tests[], events_tests[], fork_tests[], input_tests[], job_tests[],
    hook_tests[], kind_tests[], queue_tests[], server_tests[], signal_tests[], strategy_tests[], testing_tests[], worker_tests[];

/* The error of the test that runs. Every call passes this address; CHECK_OK and CHECK_ERROR look at it and free it. */
extern mh_error *failure;

/* Ends the test: it failed there. Only from the thread that runs the test. */
void fail_at(const char *file, int line, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4), noreturn))
#endif
    ;

void check_ok(const char *file, int line, const char *call, mh_code code);
void check_error(const char *file, int line, const char *call, mh_code code, mh_code expected, const char *message);
void check_text(const char *file, int line, const char *what, const char *text, const char *expected);
void check_contains(const char *file, int line, const char *what, const char *text, const char *part);

/* `condition` holds. */
#define CHECK(condition) ((condition) ? (void)0 : fail_at(__FILE__, __LINE__, "%s", #condition))
/* Two whole numbers are the same. */
#define CHECK_NUMBER(number, expected) \
    ((long long)(number) == (long long)(expected) \
         ? (void)0 \
         : fail_at(__FILE__, __LINE__, "%s is %lld, not %lld", #number, (long long)(number), (long long)(expected)))
/* Two texts are the same; neither is NULL. */
#define CHECK_TEXT(text, expected) check_text(__FILE__, __LINE__, #text, text, expected)
/* A text has a part. */
#define CHECK_CONTAINS(text, part) check_contains(__FILE__, __LINE__, #text, text, part)
/* The call worked. */
#define CHECK_OK(call) check_ok(__FILE__, __LINE__, #call, call)
/* The call failed with this code, and a message that contains `message`. */
#define CHECK_ERROR(call, code, message) check_error(__FILE__, __LINE__, #call, call, code, message)
/* The call was refused as wrong, with a message that contains `message`. */
#define CHECK_INVALID(call, message) CHECK_ERROR(call, MH_CODE_INVALID_ARGUMENT, message)

/* What an output holds as long as nothing is written to it. */
extern char untouched_place;
#define UNTOUCHED(type) ((type *)(void *)&untouched_place)

/* A client of the test's own: of a namespace nobody else has, on the server of the run. */
mh_client *open_client(void);
/* Another client of the same namespace, with a timeout_ms. */
mh_client *open_client_again(const mh_client *client, int timeout_ms);
/* A worker of one queue and of `threads` threads. */
mh_worker *open_worker(mh_client *client, const char *queue, int threads);
/* The server of the run, one that wants a password, and one that speaks TLS, up to the options. */
const char *server_url(void);
const char *locked_url(void);
const char *tls_url(void);

/* Puts a job and answers its jid, to be freed. */
char *put(mh_client *client, const char *queue, const char *kind, const char *data_json, const char *options_json);
/* Takes one job without a worker; there must be one. */
mh_job *reserve(mh_client *client, const char *queue);
/* Takes one job from a worker; one must come within 10 s. */
mh_job *next(mh_worker *worker);
/* An operation's reply, to be freed. The arguments are made as by printf. */
char *call(mh_client *client, const char *operation, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
/* job_get(jid) contains `part`. */
void check_job(mh_client *client, const char *jid, const char *part);
/* queue_counts(queue) says `count` of this state. */
void check_count(mh_client *client, const char *queue, const char *state, int count);

#ifdef __cplusplus
}
#endif

#endif
