/**
 * Manyhands: a job system for programs written in several languages. The C library.
 *
 * Build:      cc hello.c $(pkg-config --cflags --libs manyhands)
 *             cc hello.c $(pkg-config --cflags manyhands) $(pkg-config --variable=static_libs manyhands)
 *
 * Names:      mh_<noun>_<verb>. A handle comes from an _open function, or from a function that gives a job, and ends
 *             with the _free function of its noun. Every _free function accepts NULL, and must not be called twice.
 * Errors:     whatever can fail returns an mh_code, MH_CODE_OK being 0, and takes an mh_error ** last. That may be NULL;
 *             otherwise it is set on failure only, and the caller frees it with mh_error_free().
 * Outputs:    they come after the inputs, start with out_, and are written on success only. Initialise them.
 * NULL:       where NULL has a meaning, the comment says so. Elsewhere it is MH_CODE_INVALID_ARGUMENT naming the argument;
 *             functions that cannot fail answer NULL, 0 or false for a NULL handle.
 * Text:       UTF-8, ended by NUL. A char * that is given out belongs to the caller, who frees it with mh_string_free().
 *             A const char * belongs to the handle it came from and lasts as long as that.
 * JSON:       one value as in RFC 8259, nested at most 128 deep. The data and the result of a job are kept byte for byte.
 *             In options and arguments an unknown member is an error; one that is null has its default.
 * Time:       spans are milliseconds, and end in _ms; instants are milliseconds of UTC since 1970, and end in _at_ms.
 * Names of queues, kinds, jids, groups, tags: 1 to 255 bytes without control characters.
 *
 * Threads:    a handle may be used by several threads at once, but none may use it while it is freed, or after.
 * Signals:    while a thread of yours waits for Redis, its signals are held back, so that none can cost a job; in
 *             mh_worker_next() and mh_worker_stop() they are delivered. No function may be called in a signal handler: set
 *             a flag, and look at it between two calls of mh_worker_next().
 * Fork:       a client made before a fork works in the child, with connections of its own. Workers and subscriptions do
 *             not: there mh_worker_next(), mh_events_next(), mh_worker_stop() and what ends or renews a worker's jobs return
 *             MH_CODE_CLOSED, and the rest finds nothing to do; the child opens its own. Every handle may be freed in the
 *             child too.
 * Exit:       stop workers first. A job in hand when the process dies is not lost: another worker gets it when its lease
 *             has run out.
 *
 * This file is made from ffi/src by cbindgen. Do not edit it.
 */

#ifndef MANYHANDS_H
#define MANYHANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this header; mh_version() tells that of the library. */
#define MH_VERSION "0.1.0"
#define MH_VERSION_MAJOR 0
#define MH_VERSION_MINOR 1
#define MH_VERSION_PATCH 0


/**
 * How a call ended: MH_CODE_OK, or what went wrong. The numbers and names are the same in every language, come in
 * bands (1xx the caller, 2xx the job, 3xx the server, 9xx a fault of ours), and are never reused.
 */
typedef enum {
  /**
   * It worked.
   */
  MH_CODE_OK = 0,
  /**
   * An argument, option or setting is wrong; the message names it.
   */
  MH_CODE_INVALID_ARGUMENT = 100,
  /**
   * There is no operation of this name.
   */
  MH_CODE_UNKNOWN_OPERATION = 101,
  /**
   * The URL's scheme is not one this build can connect to.
   */
  MH_CODE_UNSUPPORTED_URL = 102,
  /**
   * The jid belongs to another partition than the job it needs.
   */
  MH_CODE_WRONG_PARTITION = 103,
  /**
   * A dependency does not exist and `missing` is `reject`.
   */
  MH_CODE_UNKNOWN_DEPENDENCY = 104,
  /**
   * The dependencies would form a circle.
   */
  MH_CODE_CYCLE = 105,
  /**
   * The search for a circle met too many jobs.
   */
  MH_CODE_TOO_DEEP = 106,
  /**
   * The client is closed, the worker is stopped, or the worker belongs to the process this one was forked from.
   */
  MH_CODE_CLOSED = 107,
  /**
   * No job has this jid.
   */
  MH_CODE_JOB_NOT_FOUND = 200,
  /**
   * The job is no longer held by this handle; mh_error_reason() says why. Nothing was changed.
   */
  MH_CODE_LOCK_LOST = 201,
  /**
   * The job's state does not allow this.
   */
  MH_CODE_WRONG_STATE = 202,
  /**
   * Other jobs wait for this one.
   */
  MH_CODE_HAS_DEPENDENTS = 203,
  /**
   * A job of this jid exists and `on_conflict` is `reject`.
   */
  MH_CODE_JOB_EXISTS = 204,
  /**
   * Redis cannot be reached, is loading, or is busy. Nothing was changed.
   */
  MH_CODE_UNAVAILABLE = 300,
  /**
   * A reading call got no answer within `timeout_ms`.
   */
  MH_CODE_TIMEOUT = 301,
  /**
   * A changing call was sent but got no answer within `timeout_ms`: it may or may not have happened.
   */
  MH_CODE_OUTCOME_UNKNOWN = 302,
  /**
   * Redis is at its `maxmemory`. Nothing was changed.
   */
  MH_CODE_OUT_OF_MEMORY = 303,
  /**
   * Redis takes no writes now: a replica, a failed save, or too few replicas. Nothing was changed.
   */
  MH_CODE_READ_ONLY = 304,
  /**
   * Wrong or missing password, a right (ACL) is missing, or a TLS certificate does not fit, the server's or the client's.
   */
  MH_CODE_DENIED = 305,
  /**
   * The server, or the engine loaded in it, is older than this library needs.
   */
  MH_CODE_ENGINE_OUTDATED = 306,
  /**
   * The namespace was written by another major version of the engine.
   */
  MH_CODE_SCHEMA_MISMATCH = 307,
  /**
   * An `embedded:` URL needs a redis-server or valkey-server program, and there is none on the PATH.
   */
  MH_CODE_NO_SERVER_PROGRAM = 308,
  /**
   * A fault in Manyhands itself.
   */
  MH_CODE_INTERNAL = 900,
} mh_code;

/**
 * What became of a put.
 */
typedef enum {
  /**
   * The job is new.
   */
  MH_PLACED_PUT = 1,
  /**
   * An older job of its jid gave way to it.
   */
  MH_PLACED_REPLACED = 2,
  /**
   * An older job of its jid stays as it was, and this one is not stored.
   */
  MH_PLACED_KEPT = 3,
} mh_placed;

/**
 * A client: it sends operations to the engine in Redis, over a small pool of connections.
 *
 * Ownership: whoever opened it frees it with mh_client_free(). Its workers and jobs live on without it.
 * Threads:   any number at once.
 * Fork:      works in the child, with connections of its own.
 */
typedef struct mh_client mh_client;

/**
 * Why a call failed: what, during what, about which job, and whether to repeat it.
 *
 * Ownership: whoever passed the mh_error ** frees it with mh_error_free().
 */
typedef struct mh_error mh_error;

/**
 * A subscription to events, with a connection of its own.
 *
 * Ownership: whoever opened it frees it with mh_events_free().
 * Threads:   any number at once; each event goes to one of them.
 * Fork:      belongs to the process that opened it; a forked child gets MH_CODE_CLOSED, and opens its own.
 */
typedef struct mh_events mh_events;

/**
 * A job under a lease, from mh_worker_next() or mh_queue_reserve(). One call of mh_job_complete(), _fail(), _error(),
 * _retry(), _snooze(), _release() or _finish() ends its run; a job that is freed without one runs again when its lease
 * has run out, and is not lost. A job of mh_job_build() is for tests, and stands in no queue.
 *
 * Ownership: whoever received it frees it with mh_job_free(), also after its run has ended.
 * Threads:   any number at once.
 */
typedef struct mh_job mh_job;

/**
 * A worker: two native threads of its own fetch jobs, renew their leases and deliver their outcomes, while the
 * program's own threads take jobs with mh_worker_next() and perform them.
 *
 * Ownership: whoever opened it frees it with mh_worker_free().
 * Threads:   any number at once; as many as the option "threads" says should wait in mh_worker_next().
 * Fork:      belongs to the process that opened it; a forked child gets MH_CODE_CLOSED, and opens its own.
 */
typedef struct mh_worker mh_worker;

/**
 * A function that says which queues a worker asks for its next job. On the thread that is about to take one, in
 * mh_worker_next(), and every second while none comes; by several threads at once, where the newest answer holds for all.
 *
 * user_data  As mh_worker_choose() was given it.
 * queues     The names of the queues that are served now, in the order of the worker's "queues"; at least one.
 * count      How many.
 * out_order  Places for `count` numbers: those of the queues to ask, as indexes of `queues`, the first to be asked first.
 *
 * Returns how many it wrote there: the other queues are not asked. SIZE_MAX: as before.
 *
 * It should return soon, and must not free the worker, throw or jump out. `queues` and its texts last as long as the call.
 */
typedef size_t (*mh_choose)(void *user_data, const char *const *queues, size_t count, size_t *out_order);

/**
 * One run of a job, as mh_worker_hooks are told of it. It and its texts last as long as the call.
 */
typedef struct {
  /**
   * The worker's name.
   */
  const char *worker;
  /**
   * The job.
   */
  const char *jid;
  /**
   * The token it runs under.
   */
  const char *token;
  /**
   * The name of its handler.
   */
  const char *kind;
  /**
   * The queue it was taken from.
   */
  const char *queue;
  /**
   * 1 for its first run in this queue, and one more for each retry that was spent.
   */
  uint32_t attempt;
  /**
   * How it ended: "complete", "fail", "retry", "snooze", "error", "release" or "unknown_kind". NULL before.
   */
  const char *outcome;
  /**
   * What went wrong, or NULL.
   */
  const char *message;
  /**
   * How long it took. 0 before.
   */
  uint64_t run_ms;
} mh_run;

/**
 * What to call when something happens in a worker. Each may be NULL. They are called on the thread where it happens, several
 * at once, and should return soon; none may free the worker, throw or jump out.
 */
typedef struct {
  /**
   * Given to each of them.
   */
  void *user_data;
  /**
   * The worker begins: in its first mh_worker_next(). Nobody has a job before it returns.
   */
  void (*on_start)(void *user_data, const char *worker);
  /**
   * A job is about to be given out: in mh_worker_next().
   */
  void (*before_perform)(void *user_data, const mh_run *run);
  /**
   * A run has ended: in mh_job_complete(), mh_job_fail() and their like, for a worker's job.
   */
  void (*after_perform)(void *user_data, const mh_run *run);
  /**
   * The same, after after_perform, when the outcome is "fail" or "error".
   */
  void (*on_failure)(void *user_data, const mh_run *run);
  /**
   * A job that is performed, or has just ended, is not ours any more: one after another, on a thread of the worker
   * that does nothing else. The reason is as in mh_job_lost().
   */
  void (*on_lock_lost)(void *user_data, const char *jid, const char *token, const char *reason);
  /**
   * The worker has ended: in mh_worker_stop() or mh_worker_free().
   */
  void (*on_stop)(void *user_data, const char *worker);
} mh_worker_hooks;

/**
 * What to call around the puts of a client, mh_queue_put() and mh_queue_put_many(), on the thread that puts. Each may be
 * NULL; none may free the client, throw or jump out.
 */
typedef struct {
  /**
   * Given to each of them.
   */
  void *user_data;
  /**
   * Jobs are about to be put: a JSON array as in mh_queue_put_many(), with what mh_client_define() adds, and perhaps refused
   * yet.
   */
  void (*before_put)(void *user_data, const char *jobs_json);
  /**
   * They were put: the reply as in mh_queue_put_many().
   */
  void (*after_put)(void *user_data, const char *jobs_json, const char *reply_json);
} mh_client_hooks;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The library's version, for example "0.1.0"; that of the header is MH_VERSION.
 *
 * Ownership: the text is constant; it is never freed.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_version(void);

/**
 * Free a text that was given to the caller.
 *
 * Ownership: `text` comes from an out_ argument of type char **, and is not used after this. NULL is fine.
 * Threads:   any.
 * Blocking:  no.
 */
void mh_string_free(char *text);

/**
 * The name of a code, for example "LOCK_LOST" for 201; "OK" for 0, and "UNKNOWN" for a number that is no code.
 *
 * Ownership: the text is constant; it is never freed.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_code_name(int code);

/**
 * The error's code; MH_CODE_OK for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_error_code(const mh_error *error);

/**
 * The name of the error's code, for example "LOCK_LOST"; "OK" for NULL.
 *
 * Ownership: the text is constant; it is never freed.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_error_name(const mh_error *error);

/**
 * What went wrong, for people, without the code's name; an argument at fault is named. NULL for NULL.
 *
 * Ownership: the text belongs to `error`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_error_message(const mh_error *error);

/**
 * The operation that failed, for example "queue_put", or the worker's own call, for example "worker_next"; NULL when
 * there was none: a URL that cannot be read, an option of a client.
 *
 * Ownership: the text belongs to `error`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_error_operation(const mh_error *error);

/**
 * The jid of the job it was about; NULL when it was about none.
 *
 * Ownership: the text belongs to `error`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_error_jid(const mh_error *error);

/**
 * Why a job is no longer held, with MH_CODE_LOCK_LOST: "expired", "cancelled", "replaced", "finished" or "unknown".
 * NULL with every other code.
 *
 * Ownership: the text belongs to `error`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_error_reason(const mh_error *error);

/**
 * True when the same call, repeated later and unchanged, may succeed and cannot do harm. False for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
bool mh_error_retryable(const mh_error *error);

/**
 * Free an error, and the texts that belong to it. NULL is fine.
 *
 * Threads:   any.
 * Blocking:  no.
 */
void mh_error_free(mh_error *error);

/**
 * Open a client for a URL. The arguments are checked; nothing is connected before the first call.
 *
 * url           "redis://[user[:password]@]host[:port][/database]", the same with "rediss://" for TLS, which may end in
 *               "?ca=FILE&cert=FILE&key=FILE", "unix:///path[?db=&user=&password=]", or "embedded:DIR[?keep=1]": a
 *               private server in that folder, started by its first user and stopped by its last. docs/urls.md has it
 *               all. NULL: the environment's MANYHANDS_URL, else REDIS_URL, else "embedded:.manyhands", which an
 *               environment that says production (MANYHANDS_ENV, RAILS_ENV, RACK_ENV, NODE_ENV) refuses.
 * options_json  A JSON object, or NULL for none:
 *               "namespace"       1 to 64 letters, digits, _ or -; the keys in Redis start with it. Default "mh".
 *               "timeout_ms"      how long a call is repeated while Redis cannot be reached, 1 to 600000. Default
 *                                 60000.
 *               "engine_upgrade"  what to do with an older engine in the server: "auto" replaces it, "manual" leaves
 *                                 it and fails. Default "auto" for embedded: and for an empty server, else "manual".
 *
 * Returns MH_CODE_OK and sets *out_client to a new client.
 * Returns MH_CODE_INVALID_ARGUMENT naming the option, or the part of the URL, or the file that cannot be used;
 * MH_CODE_UNSUPPORTED_URL for a scheme that is not one of the above. A certificate that does not fit is found by the
 * first call: MH_CODE_DENIED.
 *
 * Ownership: the caller frees *out_client with mh_client_free().
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_client_open(const char *url, const char *options_json, mh_client **out_client, mh_error **out_error);

/**
 * Open a client as mh_client_open() does, in a program that its user runs by `manyhands work` or alone: the environment
 * variables MANYHANDS_URL and NAMESPACE win over `options_json`. See mh_worker_open_under_settings().
 *
 * options_json  As in mh_client_open(), or NULL for none.
 *
 * Returns MH_CODE_OK and sets *out_client to a new client.
 * Returns MH_CODE_INVALID_ARGUMENT naming the option or the environment variable; MH_CODE_UNSUPPORTED_URL.
 *
 * Ownership: the caller frees *out_client with mh_client_free().
 * Threads:   any, while none changes the environment.
 * Blocking:  no.
 */
mh_code mh_client_open_under_settings(const char *options_json, mh_client **out_client, mh_error **out_error);

/**
 * Perform any operation of the engine by its name: the one door to all of them.
 *
 * operation  Its name, noun first. Each is one file of core/src/engine/ops/, which begins with its arguments and its
 *            reply. Those that have no function here, by what they are about:
 *            a job         "job_get" {"jid"}: the job with its state, result, failure and history, or null;
 *                          "job_get_many", "job_list" (by state), "job_cancel", "job_requeue", "job_prioritize", "job_tag",
 *                          "job_untag", "job_track", "job_untrack", "job_tracked", "job_depend", "job_undepend",
 *                          "job_log", "job_progress", "job_save" (heartbeat with data), "job_timeout", "job_explain".
 *            a queue       "queue_counts" {"queue"}: how many jobs are "waiting", "scheduled", "running", "stalled", …;
 *                          "queue_stats" {"queue", "day"}: the figures of a day (YYYY-MM-DD of UTC, default today): "wait"
 *                          and "run" with "count", "mean_ms", "deviation_ms", "p50_ms", "p99_ms", "histogram";
 *                          "failures", of which "failed" are failed still, "retries"; "queue_list", "queue_length",
 *                          "queue_peek", "queue_pause", "queue_unpause", "queue_forget".
 *            failures      "failure_groups", "failure_jobs", "failure_unfail".
 *            tags          "tag_list", "tag_jobs".
 *            throttles     "throttle_set", "throttle_get", "throttle_delete", "throttle_list", "throttle_holders",
 *                          "throttle_pending", "throttle_release".
 *            recurring     "recurring_put", "recurring_get", "recurring_list", "recurring_update", "recurring_cancel",
 *                          "recurring_tag", "recurring_untag", "recurring_pause", "recurring_resume".
 *            workers       "worker_list", "worker_jobs", "worker_order", "worker_deregister".
 *            settings      "config_get" {"name", "queue"}: a setting, of the queue if one is named; "config_set" {"name",
 *                          "value", "queue"}: set it; null: back to its default. Spans are milliseconds: "heartbeat"
 *                          (60000) and "grace-period" (10000), also per queue, "jobs-history", "jobs-history-count",
 *                          "stats-history", "max-worker-age", "max-data", "events" ("tracked", or "all") and, for tests,
 *                          "test-clock" (milliseconds since 1970, or "off"). "config_all", "config_unset";
 *                          "pattern_get", "pattern_set".
 *            upkeep        "sweep", "check".
 * args_json  A JSON object, or NULL for "{}". What "queue_put" and "recurring_put" do not say there is as mh_client_define() says
 *            of the kind.
 *
 * Returns MH_CODE_OK and sets *out_reply_json to the operation's reply. In an operation on many items, the error of
 * one item stands in its place in the reply: {"jid", "error": {"code", "name", "message", …}}.
 * Returns MH_CODE_UNKNOWN_OPERATION; MH_CODE_INVALID_ARGUMENT naming the argument; MH_CODE_CLOSED;
 * MH_CODE_UNAVAILABLE, MH_CODE_TIMEOUT or MH_CODE_OUTCOME_UNKNOWN when Redis cannot be reached; MH_CODE_DENIED,
 * MH_CODE_READ_ONLY, MH_CODE_OUT_OF_MEMORY, MH_CODE_ENGINE_OUTDATED, MH_CODE_SCHEMA_MISMATCH,
 * MH_CODE_NO_SERVER_PROGRAM; and what the operation itself answers.
 *
 * A call whose connection breaks is repeated for the client's timeout_ms, and happens once all the same.
 *
 * Ownership: the caller frees *out_reply_json with mh_string_free(). It may be a NULL pointer when the reply is not
 * wanted.
 * Threads:   any number at once.
 * Blocking:  for one round trip to Redis; for up to timeout_ms while it cannot be reached.
 */
mh_code mh_client_call(mh_client *client,
                       const char *operation,
                       const char *args_json,
                       char **out_reply_json,
                       mh_error **out_error);

/**
 * The client's URL in full, with the absolute path for embedded:, to be given to other processes. NULL for NULL.
 *
 * It contains the password, if one was given.
 *
 * Ownership: the text belongs to `client`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_client_url(const mh_client *client);

/**
 * The client's namespace. NULL for NULL.
 *
 * Ownership: the text belongs to `client`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_client_namespace(const mh_client *client);

/**
 * Close the client's connections and end the waiting of other threads; from then on its calls, and those of the jobs
 * and workers made with it, return MH_CODE_CLOSED. Stop the workers first. Closing twice is fine.
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `client` is NULL.
 *
 * Ownership: the handle remains, and is freed with mh_client_free().
 * Threads:   any.
 * Blocking:  no; the last user of an embedded: server waits until it has stopped.
 */
mh_code mh_client_close(mh_client *client, mh_error **out_error);

/**
 * Free a client. NULL is fine. Its workers and jobs keep its connections, and close them when the last is freed.
 *
 * Threads:   none may be using the handle.
 * Blocking:  no; the last user of an embedded: server waits until it has stopped.
 */
void mh_client_free(mh_client *client);

/**
 * Put one job into a queue.
 *
 * queue         Its name. NULL: that of mh_client_define() for the kind.
 * kind          The name of the handler that will perform it.
 * data_json     What the handler gets, one JSON value, kept byte for byte, at most max-data (1 MiB). NULL: null.
 * options_json  A JSON object, or NULL for none. What it does not have is as mh_client_define() says of the kind, or else:
 *               "jid"           the job's id. Default: 32 random hex digits.
 *               "priority"      -128 to 127, larger first. Default 0.
 *               "delay_ms"      milliseconds until it may run. Default 0.
 *               "retries"       how often it may run again after an error or a lost lease, 0 to 255. Default 5.
 *               "tags"          a list of at most 32 labels.
 *               "route"         a list of at most 64 queues the job goes through after this one.
 *               "throttles"     a list of at most 32 throttles: the job runs only while it holds all of them.
 *               "headers"       an object of at most 32 texts, 4 KiB with their names, that go with the job through all
 *                               stages, such as a trace's context.
 *               "timeout_ms"    how long a run of it may take before mh_job_interrupted() says "timeout", 1 or more. Default: as
 *                               mh_client_define() says of the kind, or the options of the worker that performs it.
 *               "backoff_ms"    how long it waits before the next run after an mh_job_error() whose class "retry_on" of
 *                               mh_client_define() does not name: milliseconds; a list of at most 64, one after the other and
 *                               the last for all that follow; or an object of "first" and, if they are to differ, "factor" (2;
 *                               1 to 1000), "most" (3600000) and "jitter" (0.1; 0 to 1), or of "list" and "jitter" (0). Default:
 *                               as there.
 *               "dependencies"  a list of at most 256 jids: the job waits until these are completed. Those that are
 *                               completed already, or unknown, it need not wait for.
 *               "missing"       what an unknown dependency is: "satisfied", or "reject": an error. Default "satisfied".
 *               "on_conflict"   what to do when a job of this jid exists: "replace" it unless it is running (then it is
 *                               kept), "keep" it, "reject" this put, or "move": replace it even while it runs. Default
 *                               "replace".
 *
 * Returns MH_CODE_OK and sets *out_jid to the job's id and *out_placed to what became of it. mh_queue_put_many() also tells
 * which of its dependencies it need not wait for.
 * Returns MH_CODE_INVALID_ARGUMENT naming the argument or option, before anything is stored; MH_CODE_JOB_EXISTS with
 * on_conflict "reject"; MH_CODE_UNKNOWN_DEPENDENCY with missing "reject"; MH_CODE_CYCLE, MH_CODE_TOO_DEEP; and the codes
 * of mh_client_call().
 *
 * Ownership: the caller frees *out_jid with mh_string_free(). Both may be NULL pointers when they are not wanted.
 * Threads:   any number at once.
 * Blocking:  as mh_client_call().
 */
mh_code mh_queue_put(mh_client *client,
                     const char *queue,
                     const char *kind,
                     const char *data_json,
                     const char *options_json,
                     char **out_jid,
                     mh_placed *out_placed,
                     mh_error **out_error);

/**
 * Put jobs, into any queues, in their order.
 *
 * Up to 250 jobs, with up to 250 tags and throttles in all (each dependency counted twice) and 8 MiB of data, are one
 * step: all or none. More, or jobs that replace some with more, go by several steps, and an error then says how many
 * jobs are put.
 *
 * jobs_json  A JSON array of objects: {"queue", "kind", "data"} and the options of mh_queue_put(). "kind" must be there, and
 *            "queue" where mh_client_define() says none of the kind.
 *
 * Returns MH_CODE_OK and sets *out_reply_json to a JSON array with one object for each job, in order: {"jid",
 * "outcome", "satisfied"}, where the outcome is "put", "replaced", "kept" (an existing job was left) or "exists"
 * (on_conflict "reject"), and "satisfied" lists those of its dependencies that it need not wait for.
 * Returns MH_CODE_INVALID_ARGUMENT naming the job and the option, before anything is stored; and the codes of
 * mh_client_call().
 *
 * Ownership: the caller frees *out_reply_json with mh_string_free(). It may be a NULL pointer when it is not wanted.
 * Threads:   any number at once.
 * Blocking:  as mh_client_call().
 */
mh_code mh_queue_put_many(mh_client *client,
                          const char *jobs_json,
                          char **out_reply_json,
                          mh_error **out_error);

/**
 * Take up to `limit` jobs of a queue under a lease, without a worker. Does not wait for jobs to come;
 * mh_worker_next() does.
 *
 * queue   Its name.
 * worker  The name the jobs are held by, or NULL for one that this client made up for this process: host:pid:8 hex.
 * limit   1 to 250.
 *
 * The lease is as long as the queue's heartbeat setting (60 s); mh_job_heartbeat() renews it, and nothing else does.
 * Order: larger priority first, then first put. A paused queue gives none.
 *
 * Returns MH_CODE_OK, sets *out_count to how many jobs came, perhaps 0, and the first so many of `out_jobs`.
 * Returns MH_CODE_INVALID_ARGUMENT naming the argument; and the codes of mh_client_call().
 *
 * Ownership: `out_jobs` is an array with places for `limit` jobs; the caller frees each with mh_job_free().
 * Threads:   any number at once.
 * Blocking:  as mh_client_call().
 */
mh_code mh_queue_reserve(mh_client *client,
                         const char *queue,
                         const char *worker,
                         size_t limit,
                         mh_job **out_jobs,
                         size_t *out_count,
                         mh_error **out_error);

/**
 * Say once what jobs of a kind are: how they are put unless a put says otherwise, and what holds for their runs. A program
 * that puts and one that performs may share the function that says it.
 *
 * kind          Names the jobs and their handler. What was said of it before is replaced.
 * options_json  A JSON object, or NULL for none. For every put of this client, by mh_queue_put(), mh_queue_put_many(), or
 *               "queue_put" and "recurring_put" of mh_client_call():
 *               "queue"         where they are put when mh_queue_put() is given NULL, or the others name none.
 *               "priority", "delay_ms", "retries", "tags", "route", "throttles", "headers"
 *                               as in mh_queue_put(). One that a put has itself takes the place of this; lists are not merged.
 *                               A recurring job has no delay.
 *               For the runs of workers that are opened, and of jobs that mh_queue_reserve() takes, with this client later:
 *               "timeout_ms"    how long a handler may run before mh_job_interrupted() says "timeout", 1 or more. Default: as
 *                               the worker's options say; its "timeouts" come before this, and a put's own before both.
 *               "retry_on"      an object: how long to wait before the next run after mh_job_error(), by class_name. Each
 *                               is as "backoff_ms" of mh_queue_put().
 *               "backoff_ms"    the same for all other classes; a put's own comes before it. Default: 1 s doubling to 1 h,
 *                               ±10 %.
 *               "discard_on"    a list of classes after which the job fails at once, whatever retries are left.
 *
 * Returns MH_CODE_OK.
 * Returns MH_CODE_INVALID_ARGUMENT naming the option: also for a value that no put could have.
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_client_define(mh_client *client,
                         const char *kind,
                         const char *options_json,
                         mh_error **out_error);

/**
 * Open a worker. The options are checked; the first mh_worker_next() starts its threads and connects.
 *
 * options_json  A JSON object:
 *               "queues"               the queues to take jobs from, 1 to 1000 names or patterns, in the order they are
 *                                      asked. Must be there. "mail-*" stands for the queues there are that match ("*":
 *                                      any text), by name; "!mail-bulk" takes away what it matches of the entries before
 *                                      it, or, as the first, of all queues; "@slow" stands for a saved list (operation
 *                                      "pattern_set"), "!@slow" for the opposite of each of its entries. Patterns are
 *                                      followed while the worker runs; saved priorities come before the order here.
 *               "strategy"             "ordered": a queue is asked when those before it give nothing; "round_robin":
 *                                      all get equal shares; "shuffled_round_robin": the same, in an order drawn anew
 *                                      for each call; "weighted": shares by "weights"; "callback": those that the
 *                                      function of mh_worker_choose() says. Default "ordered".
 *               "weights"              of "weighted": an object of 1 to 1000 by queue or pattern. A queue has that of its
 *                                      own name, else of the longest pattern that matches it, else 1.
 *               "threads"              how many threads will perform at once, 1 to 1000. Default 1.
 *               "kinds"                the kinds that have handlers here, told to other workers. Default none. What holds for
 *                                      the runs of a kind can be said by mh_client_define() before this.
 *               "language"             told in the worker's status. Default "c".
 *               "shutdown_timeout_ms"  how long mh_worker_stop() waits for started jobs, if it is not told. Default
 *                                      25000.
 *               "interval_ms"          how long an idle worker waits before it looks for what nobody told it, 10 to
 *                                      86400000. Default 2000.
 *               "timeout_ms"           how long a handler may run before mh_job_interrupted() says "timeout". Default: for
 *                                      ever.
 *               "timeouts"             the same for some kinds: an object {kind: milliseconds}. A put's own comes first.
 *               "kill_timeout_ms"      how long it may take to end then; see mh_worker_is_stuck(). Default 2000.
 *               "max_jobs"             how many jobs to start in all, before mh_worker_next() returns MH_CODE_CLOSED.
 *                                      Default 0: no limit.
 *               "log"                  "off", or "text" or "json": a line on standard error for each job that ends.
 *                                      Default "off".
 *               "verbose"              true: and for each that starts. Default false.
 *               "statsd"               an object {"host", "port", "key"}: figures of the jobs that end go there by UDP,
 *                                      named <key>.<kind>.count, <key>.<kind>.<outcome> and <key>.<kind>.time. Default
 *                                      none; "port" 8125, "key" "manyhands".
 *
 * Returns MH_CODE_OK and sets *out_worker to a new worker.
 * Returns MH_CODE_INVALID_ARGUMENT naming the option.
 *
 * Ownership: the caller stops *out_worker with mh_worker_stop() and frees it with mh_worker_free(). It does not need
 *            `client` to stay.
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_worker_open(mh_client *client,
                       const char *options_json,
                       mh_worker **out_worker,
                       mh_error **out_error);

/**
 * Open a worker as mh_worker_open() does, in a program that its user runs by `manyhands work` or alone: what the user set
 * from outside wins over `options_json`, which needs no "queues" then. Those are the environment variables QUEUES,
 * RESERVATION, THREAD_COUNT, JOBS_PER_FORK, INTERVAL, SHUTDOWN_TIMEOUT, KILL_TIMEOUT, VERBOSE, VVERBOSE and STATSD_HOST,
 * STATSD_PORT, STATSD_KEY; `manyhands work --help` explains them. As many threads as mh_worker_threads() says should perform.
 *
 * All that a master wants of the process is done by mh_worker_next(): it returns MH_CODE_CLOSED when the process is to end.
 *
 * options_json  As in mh_worker_open(), or NULL for none.
 *
 * Returns MH_CODE_OK and sets *out_worker to a new worker.
 * Returns MH_CODE_INVALID_ARGUMENT naming the option, or the environment variable.
 *
 * Ownership: the caller stops *out_worker with mh_worker_stop() and frees it with mh_worker_free().
 * Threads:   any, while none changes the environment.
 * Blocking:  no.
 */
mh_code mh_worker_open_under_settings(mh_client *client,
                                      const char *options_json,
                                      mh_worker **out_worker,
                                      mh_error **out_error);

/**
 * Wait for the next job, at most `timeout_ms` milliseconds (0: do not wait; UINT64_MAX: for ever).
 *
 * Returns MH_CODE_OK and sets *out_job to a job to perform, or to NULL when none came in time. While Redis cannot be
 * reached none comes; a line on standard error says so once.
 * Returns MH_CODE_CLOSED when no more jobs will come: after mh_worker_quiet() or mh_worker_stop(), which end the
 * wait at once, and in a forked child.
 * Returns MH_CODE_WRONG_STATE or MH_CODE_INVALID_ARGUMENT under the strategy "callback": see mh_worker_choose().
 * Returns what keeps the worker from its work and cannot pass by itself: MH_CODE_DENIED, MH_CODE_ENGINE_OUTDATED,
 * MH_CODE_SCHEMA_MISMATCH, MH_CODE_NO_SERVER_PROGRAM.
 *
 * Ownership: the caller frees *out_job with mh_job_free(), after one of the mh_job functions has ended its run.
 * Threads:   any number at once; each job goes to one of them.
 * Blocking:  yes, on no socket. Signals are delivered to their handlers, but do not end the wait.
 */
mh_code mh_worker_next(mh_worker *worker, uint64_t timeout_ms, mh_job **out_job, mh_error **out_error);

/**
 * Ask every running handler to end: mh_job_interrupted() says "killed" from now on, and mh_worker_take_interrupt() tells
 * it once for each job. A handler that has given up calls mh_job_release(), which spends no retry. The worker goes on.
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `worker` is NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_worker_kill_running(mh_worker *worker,
                               mh_error **out_error);

/**
 * Take no jobs until mh_worker_resume(): unstarted ones go back to their places, mh_worker_next() waits on, and started
 * ones are performed and ended as ever.
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `worker` is NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_worker_pause(mh_worker *worker, mh_error **out_error);

/**
 * Take jobs again after mh_worker_pause().
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `worker` is NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_worker_resume(mh_worker *worker, mh_error **out_error);

/**
 * Give this process's signals to the worker: QUIT takes no new jobs, TERM and INT also interrupt the running handlers
 * (mh_job_interrupted() says "killed"), USR1 interrupts them and goes on, USR2 pauses, CONT resumes, TTIN says on standard error
 * what runs, with a backtrace of each thread that took a job. Without this call only a master's signals are obeyed.
 *
 * The title of the process (ps, /proc/<pid>/cmdline) shows its queues and what it runs; argv stays as it is.
 *
 * After QUIT, TERM and INT mh_worker_next() returns MH_CODE_CLOSED. When handlers still run after the option
 * "shutdown_timeout_ms" (QUIT) or "kill_timeout_ms" (TERM, INT), the outcomes that there are are delivered and the process exits with 128
 * and the signal's number; a second TERM or INT ends it at once. Either gives back what the handlers had begun, when every thread of
 * the process can be held for good before (or there is a master to do it).
 *
 * Where there is no master, a handler that does not end after its timeout, see mh_worker_is_stuck(), ends the process so as well: with
 * status 70, once the others have ended or the option "shutdown_timeout_ms" is over. Until then the worker takes no more jobs.
 *
 * The program's own handlers of these signals, installed before, are called as well. When all workers that obey are freed,
 * and in a forked child, the signals do what they did before.
 *
 * Returns MH_CODE_OK.
 * Returns MH_CODE_CLOSED in a forked child, MH_CODE_INTERNAL when the system gives no thread or socket.
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_worker_obey_signals(mh_worker *worker,
                               mh_error **out_error);

/**
 * Take no more jobs: unstarted ones go back to their places, mh_worker_next() returns MH_CODE_CLOSED, and started
 * ones are performed and ended as ever. mh_worker_stop() must follow.
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `worker` is NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_worker_quiet(mh_worker *worker, mh_error **out_error);

/**
 * End the worker: take no more jobs, give the unstarted ones back, wait up to `timeout_ms` (negative: the option
 * "shutdown_timeout_ms") until the started ones are ended, deliver the outcomes, and end the native threads.
 *
 * A job that is still performed after that is left to its lease; mh_worker_running() counts them. A second stop does
 * nothing.
 *
 * Returns MH_CODE_OK.
 * Returns MH_CODE_UNAVAILABLE when outcomes did not reach Redis within 2 seconds, or within what was left of
 * timeout_ms when that was more: their jobs run again. MH_CODE_CLOSED in a forked child.
 *
 * Ownership: the handle remains, and is freed with mh_worker_free().
 * Threads:   any that is not in the middle of a job of this worker: it would wait for itself.
 * Blocking:  yes; see above.
 */
mh_code mh_worker_stop(mh_worker *worker, int64_t timeout_ms, mh_error **out_error);

/**
 * How many threads should perform: the option "threads". 0 for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
size_t mh_worker_threads(const mh_worker *worker);

/**
 * The worker's name, host:pid:8 hex digits, new for every worker. NULL for NULL.
 *
 * Ownership: the text belongs to `worker`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_worker_name(const mh_worker *worker);

/**
 * How many jobs of this worker are performed now: given out and not ended. 0 for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
size_t mh_worker_running(const mh_worker *worker);

/**
 * Free a worker. NULL is fine. One that was not stopped is stopped as by mh_worker_stop() with 0, but nobody is told
 * of outcomes that could not be delivered.
 *
 * Its jobs may still be freed after it; ending their runs returns MH_CODE_CLOSED then.
 *
 * Threads:   none may be using the handle.
 * Blocking:  no when it was stopped; else as mh_worker_stop().
 */
void mh_worker_free(mh_worker *worker);

/**
 * Say which function chooses the queues of a worker whose "strategy" is "callback". It takes the place of the one before.
 * Needed before the first mh_worker_next(), which returns MH_CODE_WRONG_STATE without one, and MH_CODE_INVALID_ARGUMENT
 * for an answer that is outside of `queues`. Under another strategy, which the user may set from outside, it is not called.
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT naming the argument that is NULL.
 *
 * Ownership: what user_data points to must last until no thread is in mh_worker_next() any more.
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_worker_choose(mh_worker *worker,
                         mh_choose choose,
                         void *user_data,
                         mh_error **out_error);

/**
 * Take the outcomes that were refused since the last call: the job was no longer ours when its run was ended, or its
 * result was too large. What such a handler did does not count, and the job runs again or has been run by another
 * worker.
 *
 * Call it now and then, and after mh_worker_stop(); the last 1000 are kept.
 *
 * Returns MH_CODE_OK and sets *out_refused_json to NULL when there are none, else to a JSON array of objects:
 *               "jid"        the job.
 *               "token"      that of mh_job_token().
 *               "operation"  how the run was ended, for example "job_complete".
 *               "reason"     "expired", "cancelled", "replaced", "finished" or "unknown", as in mh_job_lost(); or an
 *                            error's text.
 *
 * Ownership: the caller frees *out_refused_json with mh_string_free().
 * Threads:   any; each refusal is told once.
 * Blocking:  no.
 */
mh_code mh_worker_take_refused(mh_worker *worker, char **out_refused_json, mh_error **out_error);

/**
 * Take the next piece of news for a running handler: it should end, as the job is no longer ours, or as somebody wants
 * that. Each is told once, oldest first. For programs whose handlers cannot look at mh_job_interrupted() themselves: a
 * thread calls this every 100 ms or so until there is none.
 *
 * out_jid, out_token   the job, as of mh_job_jid() and mh_job_token(). NULL: not wanted.
 * out_reason           why, as in mh_job_interrupted().
 *
 * Returns MH_CODE_OK and sets *out_reason to NULL, and the others not, when there is no more news.
 *
 * Ownership: the caller frees *out_jid, *out_token and *out_reason with mh_string_free().
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_worker_take_interrupt(mh_worker *worker,
                                 char **out_jid,
                                 char **out_token,
                                 char **out_reason,
                                 mh_error **out_error);

/**
 * What an operator asked of the worker last, by the operation "worker_order": "quiet", "pause", "resume" or "stop"; a stop
 * is not taken back. NULL when nothing was asked, and for NULL. The worker does by itself what it can; on "stop" the program
 * should call mh_worker_stop() and end.
 *
 * Ownership: the text is the library's own.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_worker_ordered(const mh_worker *worker);

/**
 * Take the oldest signal of the master (`manyhands work`) that was not taken: "QUIT", "TERM" or "TTIN"; each is told once. NULL
 * when there is none, and for NULL. By then the worker has done what it can: after "QUIT" and "TERM" no more jobs come, and
 * after "TERM" mh_job_interrupted() says "killed". Upon "TTIN" the program should tell its log what its threads do. After
 * mh_worker_obey_signals() the process's own "QUIT" and "TERM" come here as well, and "TTIN" does not: the worker tells the log.
 *
 * Ownership: the text is the library's own.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_worker_take_signal(mh_worker *worker);

/**
 * Whether a handler did not end within the option "kill_timeout_ms" after its time was over. It will not: the process
 * should call mh_worker_quiet(), let the others finish, and exit with status 70. false for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
bool mh_worker_is_stuck(const mh_worker *worker);

/**
 * Whether of the option "max_jobs" fewer are left than there are threads: soon some of them stand idle. A master hears of
 * it by itself, and earlier where jobs are short. false for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
bool mh_worker_is_spent(const mh_worker *worker);

/**
 * The job's id. NULL for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_jid(const mh_job *job);

/**
 * The name of the handler that performs it. NULL for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_kind(const mh_job *job);

/**
 * The queue it was taken from. NULL for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_queue(const mh_job *job);

/**
 * Its data: one JSON value, byte for byte as it was put. NULL for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_data(const mh_job *job);

/**
 * The length of mh_job_data() in bytes. 0 for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
size_t mh_job_data_length(const mh_job *job);

/**
 * Its priority, -128 to 127, larger first. 0 for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
int32_t mh_job_priority(const mh_job *job);

/**
 * How often it may run again after its first run in this queue, 0 to 255. 0 for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
int32_t mh_job_retries(const mh_job *job);

/**
 * How many of its retries are left. 0 for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
int32_t mh_job_remaining(const mh_job *job);

/**
 * The number that proves the lease, in digits: for a job, it grows with every reserve. NULL for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_token(const mh_job *job);

/**
 * Its labels: a JSON array of texts. NULL for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_tags_json(const mh_job *job);

/**
 * The queues it still goes through after this one: a JSON array of texts. NULL for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_route_json(const mh_job *job);

/**
 * The throttles it holds while it runs: a JSON array of texts. NULL for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_throttles_json(const mh_job *job);

/**
 * The texts that go with it through all stages: a JSON object of texts. NULL for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_headers_json(const mh_job *job);

/**
 * How many milliseconds a run of it may take as its put says; 0 when that says nothing, and for NULL: then mh_client_define() or
 * the worker's options say it.
 *
 * Threads:   any.
 * Blocking:  no.
 */
int64_t mh_job_timeout_ms(const mh_job *job);

/**
 * How long it waits after an error as its put says: JSON, as "backoff_ms" of mh_queue_put(). NULL when that says nothing, and for
 * NULL: then mh_client_define() says it.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_backoff_json(const mh_job *job);

/**
 * The jid of the recurring job that put it, or NULL when it was put by itself, and for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_parent(const mh_job *job);

/**
 * Whether events tell what happens to it, as of its reserve. false for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
bool mh_job_tracked(const mh_job *job);

/**
 * How long the lease lasts from the reserve on, if it is not renewed. A worker renews it. 0 for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
uint64_t mh_job_lease_ms(const mh_job *job);

/**
 * When it was put, in milliseconds of UTC since 1970, by the clock of Redis. 0 for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
uint64_t mh_job_put_at_ms(const mh_job *job);

/**
 * Why the job is no longer ours: "expired", "cancelled", "replaced", "finished" or "unknown". NULL while it is, as
 * far as is known, and for NULL.
 *
 * A long handler looks at it now and then, and stops working when it is not NULL: another worker may have the job, and
 * whatever ends this run is refused. A worker's job knows it within 2 seconds, by the worker's own pulse; a job of
 * mh_queue_reserve() learns it from mh_job_heartbeat() only.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_lost(const mh_job *job);

/**
 * Why its handler should end. NULL while it may go on, and for NULL.
 *
 * It is what mh_job_lost() says; or "killed" after mh_worker_kill_running(): the job is still ours then, and is given back
 * with mh_job_release(), which spends no retry; or "timeout", when it has run longer than its put, the
 * worker's options or mh_client_define() allow: the job is still ours, and ends with mh_job_error(), which spends one.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_interrupted(const mh_job *job);

/**
 * Free a job, whether or not its run has ended. NULL is fine.
 *
 * Threads:   none may be using the handle.
 * Blocking:  no.
 */
void mh_job_free(mh_job *job);

/**
 * The run succeeded: the job goes on to its next queue, or is completed when there is none.
 *
 * result_json   What the handler returns, one JSON value, kept byte for byte. NULL: no result.
 * options_json  A JSON object, or NULL for none:
 *               "data"          new data for the next queue, any JSON value. Default: the data stays.
 *               "queue"         the next queue. Default: the next of the job's route.
 *               "delay_ms"      milliseconds until the job may run there. Default 0. Without a next queue the job is
 *                               completed at once: there is nothing to wait for, and what was done is not refused.
 *               "dependencies"  a list of at most 256 jids that the job waits for there.
 *
 * For a worker's job this returns at once: the engine is told within a millisecond, or as soon as Redis can be
 * reached, and what it refuses comes out of mh_worker_take_refused(). For a job of mh_queue_reserve() it waits for
 * the answer.
 *
 * Returns MH_CODE_OK.
 * Returns MH_CODE_INVALID_ARGUMENT naming the argument or option: the job is still in hand, and can be ended
 * otherwise.
 * Returns MH_CODE_WRONG_STATE when the run of this worker's job has ended before; MH_CODE_CLOSED after
 * mh_worker_stop() or in a forked child.
 * For a job of mh_queue_reserve() also MH_CODE_LOCK_LOST, and the codes of mh_client_call().
 *
 * Ownership: the handle remains, and is freed with mh_job_free().
 * Threads:   any; only the first to end a run succeeds.
 * Blocking:  no, for a worker's job; else as mh_client_call().
 */
mh_code mh_job_complete(mh_job *job, const char *result_json, const char *options_json, mh_error **out_error);

/**
 * The job is given up, whatever retries are left, and kept in a failure group.
 *
 * group    Failures that share a cause share a group.
 * message  What happened, for people; cut at 16 KiB. NULL: none.
 * trace    Where it happened; cut at 16 KiB. NULL: none.
 *
 * Returns, ownership, threads and blocking: as mh_job_complete().
 */
mh_code mh_job_fail(mh_job *job, const char *group, const char *message, const char *trace, mh_error **out_error);

/**
 * The handler met an error: the job runs again after a wait that doubles with each retry (1 s to 1 h, ±10 %),
 * spending a retry, and is failed in the group "<kind>:<class>" when none is left. What an exception does in other
 * languages. mh_client_define() may have said otherwise of its kind.
 *
 * class_name  The kind of error, for example "ENOENT"; of an error of this library mh_error_name(), as in other
 *             languages.
 * message     What happened, for people; cut at 16 KiB. NULL: none.
 * trace       Where it happened; cut at 16 KiB. NULL: none.
 *
 * Returns, ownership, threads and blocking: as mh_job_complete().
 */
mh_code mh_job_error(mh_job *job, const char *class_name, const char *message, const char *trace, mh_error **out_error);

/**
 * The job runs again after `delay_ms` (0: at once), spending a retry; when none is left it is failed.
 *
 * group    The group it is failed in then. NULL: "failed-retries-<queue>".
 * message  What happened, for people; kept as the job's failure, cut at 16 KiB. NULL: none.
 * trace    Where it happened; cut at 16 KiB. NULL: none.
 *
 * mh_job_error() does the same with a wait that grows.
 *
 * Returns, ownership, threads and blocking: as mh_job_complete().
 */
mh_code mh_job_retry(mh_job *job,
                     int64_t delay_ms,
                     const char *group,
                     const char *message,
                     const char *trace,
                     mh_error **out_error);

/**
 * The job runs again after `delay_ms`, spending nothing.
 *
 * Returns, ownership, threads and blocking: as mh_job_complete().
 */
mh_code mh_job_snooze(mh_job *job, int64_t delay_ms, mh_error **out_error);

/**
 * The job was not started, or an operator stops it: it waits again at its old place, spending nothing.
 *
 * Returns, ownership, threads and blocking: as mh_job_complete().
 */
mh_code mh_job_release(mh_job *job, mh_error **out_error);

/**
 * End the run in any way, and wait for the engine's own answer.
 *
 * outcome_json  A JSON object with one member:
 *               {"complete": {"result", "data", "queue", "delay_ms", "dependencies"}},
 *               {"fail": {"group", "message", "trace"}}, {"error": {"class", "message", "trace"}},
 *               {"retry": {"delay_ms", "group", "message", "trace"}},
 *               {"snooze": {"delay_ms"}}, {"release": {}}, or, of a worker, {"unknown_kind": {}}: it has no handler for
 *               the job's kind, and it runs again later while another live worker has one, else it is failed in the
 *               group "unknown-kind:<kind>". The members are the arguments and options of the functions above.
 *
 * Returns MH_CODE_OK and sets *out_state to what the job is now: "completed", "waiting", "scheduled", "blocked" or
 * "failed".
 * Returns MH_CODE_LOCK_LOST when it was no longer ours: nothing was changed, and mh_error_reason() says why.
 * Returns MH_CODE_OUTCOME_UNKNOWN when no answer came within 60 seconds; and the codes of mh_job_complete().
 *
 * Ownership: the caller frees *out_state with mh_string_free(). It may be a NULL pointer when the state is not wanted.
 * Threads:   any; only the first to end a run succeeds.
 * Blocking:  as mh_client_call().
 */
mh_code mh_job_finish(mh_job *job, const char *outcome_json, char **out_state, mh_error **out_error);

/**
 * Renew the job's lease now. A worker renews those of its jobs by itself.
 *
 * Returns MH_CODE_OK and sets *out_lease_ms to the milliseconds the lease now lasts; it may be a NULL pointer.
 * Returns MH_CODE_LOCK_LOST when the job is no longer ours; MH_CODE_CLOSED in a forked child, for a worker's job;
 * and the codes of mh_client_call().
 *
 * Threads:   any.
 * Blocking:  as mh_client_call().
 */
mh_code mh_job_heartbeat(mh_job *job, uint64_t *out_lease_ms, mh_error **out_error);

/**
 * Subscribe to events. When this returns, the server has confirmed it: whatever happens from now on is told.
 *
 * options_json  A JSON object, or NULL for none:
 *               "what"    names of events: "put", "waiting", "scheduled", "blocked", "throttled", "reserved", "stalled",
 *                         "completed", "failed", "cancelled", "track", "untrack"; "*" stands for all. Default: all, or
 *                         none when a worker is named.
 *               "worker"  a worker's name: its channel too, which tells what becomes of the jobs it holds ("stalled",
 *                         "lost" or "cancelled"), whether they are tracked or not.
 *
 * Events tell of tracked jobs (the operation "job_track"), or of all jobs when the setting "events" is "all".
 *
 * Returns MH_CODE_OK and sets *out_events to a new subscription.
 * Returns MH_CODE_INVALID_ARGUMENT naming the option; MH_CODE_CLOSED, MH_CODE_UNAVAILABLE; MH_CODE_DENIED, also for a
 * login that may not subscribe to {namespace}:event:*; and what else keeps mh_client_call() from the server.
 *
 * Ownership: the caller frees *out_events with mh_events_free(). It does not need `client` to stay.
 * Threads:   any.
 * Blocking:  as mh_client_call().
 */
mh_code mh_events_open(mh_client *client,
                       const char *options_json,
                       mh_events **out_events,
                       mh_error **out_error);

/**
 * Wait for the next event, at most `timeout_ms` milliseconds (0: do not wait; UINT64_MAX: for ever).
 *
 * Returns MH_CODE_OK and sets *out_event_json to a JSON object, or to NULL when none came in time:
 *               "event"   what happened: one of the names of mh_events_open(), or "lost".
 *               "jid"     to which job.
 *               "queue"   the queue it is in now.
 *               "kind"    the name of its handler.
 *               "worker"  who holds it now, or null; on a worker's channel, that worker.
 *               "at_ms"   when, in milliseconds of UTC since 1970.
 * Returns MH_CODE_CLOSED when nothing more will come: after mh_events_close() or mh_client_close(), which end the wait
 * within 100 ms, and in a forked child.
 * Returns what keeps it from the server and cannot pass by itself, for example MH_CODE_DENIED; the next call tries again.
 *
 * When the connection breaks another is made here, for as long as the time lasts. With the setting "events" at "all", what
 * happened meanwhile is told then, in its order and once, before what happens later: Redis keeps the last 10,000 events or
 * so. What cannot be known is not told, see mh_events_gaps(). One try to reach the server lasts 5 s at most, whatever
 * `timeout_ms` says.
 *
 * Ownership: the caller frees *out_event_json with mh_string_free().
 * Threads:   any number at once; each event goes to one of them.
 * Blocking:  yes. Signals are delivered to their handlers every 100 ms, but do not end the wait.
 */
mh_code mh_events_next(mh_events *events,
                       uint64_t timeout_ms,
                       char **out_event_json,
                       mh_error **out_error);

/**
 * How often events may have been missed, counted when a lost connection is back: where the setting "events" is not "all"
 * or became so only meanwhile, where more happened meanwhile than Redis keeps, and where the login may not use XINFO and
 * XREVRANGE on {namespace}:events. For a worker's channel also where any job was cancelled meanwhile: what Redis keeps does
 * not say whose it was. 0 for NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
uint64_t mh_events_gaps(const mh_events *events);

/**
 * Close a subscription: from now on mh_events_next() returns MH_CODE_CLOSED, also in threads that wait in it. Closing
 * twice is fine.
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `events` is NULL.
 *
 * Ownership: the handle remains, and is freed with mh_events_free().
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_events_close(mh_events *events, mh_error **out_error);

/**
 * Free a subscription, closing it. NULL is fine.
 *
 * Threads:   none may be using the handle.
 * Blocking:  no.
 */
void mh_events_free(mh_events *events);

/**
 * Have functions of the program called when something happens in a worker, in addition to those it has. Best before the
 * first mh_worker_next().
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT naming the argument that is NULL.
 *
 * Ownership: `hooks` is copied. What hooks->user_data points to must last until the worker and its jobs are freed.
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_worker_hook(mh_worker *worker, const mh_worker_hooks *hooks, mh_error **out_error);

/**
 * Have functions of the program called around the puts of a client, in addition to those it has.
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT naming the argument that is NULL.
 *
 * Ownership: `hooks` is copied. What hooks->user_data points to must last until the client is freed.
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_client_hook(mh_client *client, const mh_client_hooks *hooks, mh_error **out_error);

/**
 * Make a job without a server, to test a handler with. Nobody holds it: what ends its run is only noted, for
 * mh_job_outcome_json(); mh_job_finish() says "built" as its state, and mh_job_heartbeat() 0 milliseconds.
 *
 * kind          The name of the handler that performs it.
 * data_json     Its data, one JSON value. NULL: JSON null.
 * options_json  A JSON object, or NULL for none: "jid" and "queue" (default "built"), "priority", "retries", "tags", "route",
 *               "throttles", "headers", "timeout_ms" and "backoff_ms" as in mh_queue_put(), "remaining" (retries that are
 *               left; default: all), "parent", "tracked".
 *
 * Returns MH_CODE_OK and sets *out_job to a new job.
 * Returns MH_CODE_INVALID_ARGUMENT naming the argument or option.
 *
 * Ownership: the caller frees *out_job with mh_job_free().
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_job_build(const char *kind,
                     const char *data_json,
                     const char *options_json,
                     mh_job **out_job,
                     mh_error **out_error);

/**
 * How the run of a job of mh_job_build() ended: the JSON that mh_job_finish() takes, without members that say nothing, such as
 * {"complete":{"result":7}}. NULL before, for other jobs, and for NULL.
 *
 * Ownership: the text belongs to `job`.
 * Threads:   any.
 * Blocking:  no.
 */
const char *mh_job_outcome_json(const mh_job *job);

/**
 * Perform the jobs that may run now, and those that they put, on this thread until there are none; for tests.
 *
 * Queues are asked one after another in their order, patterns too. Outcomes are stored, and hooks are told, as with
 * mh_worker_next(). Jobs that are not due, throttled or in a paused queue stay where they are. The worker takes no jobs by
 * itself from then on, as after mh_worker_pause().
 *
 * perform    Performs a job: ends its run by mh_job_complete() or its like before it returns, or the job is retried for an
 *            error of class "unended". It does not free the job, and must not throw or jump out.
 * user_data  Given to it.
 *
 * Returns MH_CODE_OK and sets *out_count to how many were performed; it may be a NULL pointer.
 * Returns MH_CODE_CLOSED after mh_worker_stop() or in a forked child; MH_CODE_OUTCOME_UNKNOWN when Redis did not answer for
 * 60 seconds; and the codes of mh_client_call(). What is left is left.
 *
 * Threads:   one, while no other takes jobs of this worker.
 * Blocking:  yes: performs, and waits for Redis.
 */
mh_code mh_worker_drain(mh_worker *worker,
                        void (*perform)(mh_job *job, void *user_data),
                        void *user_data,
                        size_t *out_count,
                        mh_error **out_error);

/**
 * Record what this client puts from now on, by mh_queue_put() and mh_queue_put_many(), instead of sending it; for tests. It needs
 * no server. What was recorded before is forgotten.
 *
 * Wrong arguments are refused as far as that needs no server, defaults are those of mh_client_define(), and mh_client_hooks are
 * told. Each job counts as new: MH_PLACED_PUT. What goes by mh_client_call() is no put: that is sent.
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `client` is NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_client_record_puts(mh_client *client,
                              mh_error **out_error);

/**
 * Perform what this client puts from now on at once; for tests. mh_queue_put() and mh_queue_put_many() return when what may run in
 * the worker's queues is performed, also what the handlers put, as by mh_worker_drain(). A put does not fail when its job does,
 * but with the codes of mh_worker_drain(); its jobs are put then all the same.
 *
 * perform    As of mh_worker_drain(). It may put by this client: that is performed before its put returns.
 * user_data  Given to it.
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT naming the argument that is NULL.
 *
 * Ownership: `worker` may be freed: puts then return MH_CODE_CLOSED until mh_client_send_puts(). What user_data points to must last
 *            until that.
 * Threads:   any; from then on one at a time puts by this client, and `perform` is called on it.
 * Blocking:  no.
 */
mh_code mh_client_perform_inline(mh_client *client,
                                 mh_worker *worker,
                                 void (*perform)(mh_job *job, void *user_data),
                                 void *user_data,
                                 mh_error **out_error);

/**
 * Send what this client puts from now on to the server, and no more: the end of mh_client_record_puts() and
 * mh_client_perform_inline(). What was recorded can still be asked for.
 *
 * Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `client` is NULL.
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_client_send_puts(mh_client *client, mh_error **out_error);

/**
 * What was put since mh_client_record_puts(), or a part of it.
 *
 * kind           Only jobs of this kind. NULL: of any.
 * expected_json  Only jobs that agree with this JSON object in all that it has; NULL: any. "queue", "data" (the whole of it,
 *                whatever the order of its members) and the options of mh_queue_put(), of which those that a put did not say have
 *                their defaults.
 *
 * Returns MH_CODE_OK and sets *out_puts_json to a JSON array of them in their order, each an object of "jid", "queue", "kind",
 * "data" and all options, and *out_count to how many there are.
 * Returns MH_CODE_INVALID_ARGUMENT naming what no put has; MH_CODE_WRONG_STATE when none were recorded yet.
 *
 * Ownership: the caller frees *out_puts_json with mh_string_free(). Both may be NULL pointers when they are not wanted.
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_client_recorded_puts(mh_client *client,
                                const char *kind,
                                const char *expected_json,
                                char **out_puts_json,
                                size_t *out_count,
                                mh_error **out_error);

/**
 * Assert that such a job was put since mh_client_record_puts().
 *
 * kind, expected_json  As of mh_client_recorded_puts().
 *
 * Returns MH_CODE_OK when there is one.
 * Returns MH_CODE_JOB_NOT_FOUND when there is none: mh_error_message() says what was asked for, and what was put. Else as
 * mh_client_recorded_puts().
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_client_assert_put(mh_client *client,
                             const char *kind,
                             const char *expected_json,
                             mh_error **out_error);

/**
 * Assert that no such job was put since mh_client_record_puts().
 *
 * kind, expected_json  As of mh_client_recorded_puts().
 *
 * Returns MH_CODE_OK when there is none.
 * Returns MH_CODE_JOB_EXISTS when there is one: mh_error_message() says which. Else as mh_client_recorded_puts().
 *
 * Threads:   any.
 * Blocking:  no.
 */
mh_code mh_client_assert_not_put(mh_client *client, const char *kind, const char *expected_json, mh_error **out_error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MANYHANDS_H */
