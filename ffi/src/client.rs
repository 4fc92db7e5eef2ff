//! The client: the connection with the operations.

use std::ffi::c_char;
use std::ptr;
use std::sync::{PoisonError, RwLock};

use manyhands::{Client, Result, WorkSettings};

use crate::error::{mh_code, mh_error};
use crate::hooks::mh_client_hooks;
use crate::kind::Kinds;
use crate::testing::Diversion;
use crate::text::Text;

/// A client: it sends operations to the engine in Redis, over a small pool of connections.
///
/// Ownership: whoever opened it frees it with mh_client_free(). Its workers and jobs live on without it.
/// Threads:   any number at once.
/// Fork:      works in the child, with connections of its own.
pub struct mh_client {
    client: Client,
    url: Text,
    namespace: Text,
    hooks: RwLock<Vec<mh_client_hooks>>,
    kinds: Kinds,
    diversion: Diversion,
}

impl mh_client {
    fn open(url: Option<&str>, options: &str) -> Result<mh_client> {
        let client = Client::open(url, options);
        let client = client.map_err(|error| error.renamed(&[("options ", "options_json ")]))?;
        let url = Text::new(client.url().to_owned(), "url")?;
        let namespace = Text::new(client.namespace().to_owned(), "options.namespace")?;
        Ok(mh_client {
            client,
            url,
            namespace,
            hooks: RwLock::default(),
            kinds: Kinds::default(),
            diversion: Diversion::default(),
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What puts are done by.
    pub(crate) fn putting(&self) -> Client {
        self.diversion.client().unwrap_or_else(|| self.client.clone())
    }

    pub(crate) fn diversion(&self) -> &Diversion {
        &self.diversion
    }

    pub(crate) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// What is called around a put, in the order in which it was added.
    pub(crate) fn hooks(&self) -> Vec<mh_client_hooks> {
        self.hooks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn hook(&self, hooks: mh_client_hooks) {
        self.hooks.write().unwrap_or_else(PoisonError::into_inner).push(hooks);
    }
}

/// Open a client for a URL. The arguments are checked; nothing is connected before the first call.
///
/// url           "redis://[user[:password]@]host[:port][/database]", the same with "rediss://" for TLS, which may end in
///               "?ca=FILE&cert=FILE&key=FILE", "unix:///path[?db=&user=&password=]", or "embedded:DIR[?keep=1]": a
///               private server in that folder, started by its first user and stopped by its last. docs/urls.md has it
///               all. NULL: the environment's MANYHANDS_URL, else REDIS_URL, else "embedded:.manyhands", which an
///               environment that says production (MANYHANDS_ENV, RAILS_ENV, RACK_ENV, NODE_ENV) refuses.
/// options_json  A JSON object, or NULL for none:
///               "namespace"       1 to 64 letters, digits, _ or -; the keys in Redis start with it. Default "mh".
///               "timeout_ms"      how long a call is repeated while Redis cannot be reached, 1 to 600000. Default
///                                 60000.
///               "engine_upgrade"  what to do with an older engine in the server: "auto" replaces it, "manual" leaves
///                                 it and fails. Default "auto" for embedded: and for an empty server, else "manual".
///
/// Returns MH_CODE_OK and sets *out_client to a new client.
/// Returns MH_CODE_INVALID_ARGUMENT naming the option, or the part of the URL, or the file that cannot be used;
/// MH_CODE_UNSUPPORTED_URL for a scheme that is not one of the above. A certificate that does not fit is found by the
/// first call: MH_CODE_DENIED.
///
/// Ownership: the caller frees *out_client with mh_client_free().
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_open(
    url: *const c_char,
    options_json: *const c_char,
    out_client: *mut *mut mh_client,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let (url, options) = (optional_text!(url)?, optional_text!(options_json)?);
        let out_client = output!(out_client)?;
        out_client.give(mh_client::open(url, options.unwrap_or_default())?);
        Ok(())
    })
}

/// Open a client as mh_client_open() does, in a program that its user runs by `manyhands work` or alone: the environment
/// variables MANYHANDS_URL and NAMESPACE win over `options_json`. See mh_worker_open_under_settings().
///
/// options_json  As in mh_client_open(), or NULL for none.
///
/// Returns MH_CODE_OK and sets *out_client to a new client.
/// Returns MH_CODE_INVALID_ARGUMENT naming the option or the environment variable; MH_CODE_UNSUPPORTED_URL.
///
/// Ownership: the caller frees *out_client with mh_client_free().
/// Threads:   any, while none changes the environment.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_open_under_settings(
    options_json: *const c_char,
    out_client: *mut *mut mh_client,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let options = optional_text!(options_json)?;
        let out_client = output!(out_client)?;
        let settings = WorkSettings::from_environment()?;
        let options = settings.client_options(options.unwrap_or("{}"));
        let options = options.map_err(|error| error.renamed(&[("options ", "options_json ")]))?;
        out_client.give(mh_client::open(settings.url.as_deref(), &options)?);
        Ok(())
    })
}

/// Perform any operation of the engine by its name: the one door to all of them.
///
/// operation  Its name, noun first. Each is one file of core/src/engine/ops/, which begins with its arguments and its
///            reply. Those that have no function here, by what they are about:
///            a job         "job_get" {"jid"}: the job with its state, result, failure and history, or null;
///                          "job_get_many", "job_list" (by state), "job_cancel", "job_requeue", "job_prioritize", "job_tag",
///                          "job_untag", "job_track", "job_untrack", "job_tracked", "job_depend", "job_undepend",
///                          "job_log", "job_progress", "job_save" (heartbeat with data), "job_timeout", "job_explain".
///            a queue       "queue_counts" {"queue"}: how many jobs are "waiting", "scheduled", "running", "stalled", …;
///                          "queue_stats" {"queue", "day"}: the figures of a day (YYYY-MM-DD of UTC, default today): "wait"
///                          and "run" with "count", "mean_ms", "deviation_ms", "p50_ms", "p99_ms", "histogram";
///                          "failures", of which "failed" are failed still, "retries"; "queue_list", "queue_length",
///                          "queue_peek", "queue_pause", "queue_unpause", "queue_forget".
///            failures      "failure_groups", "failure_jobs", "failure_unfail".
///            tags          "tag_list", "tag_jobs".
///            throttles     "throttle_set", "throttle_get", "throttle_delete", "throttle_list", "throttle_holders",
///                          "throttle_pending", "throttle_release".
///            recurring     "recurring_put", "recurring_get", "recurring_list", "recurring_update", "recurring_cancel",
///                          "recurring_tag", "recurring_untag", "recurring_pause", "recurring_resume".
///            workers       "worker_list", "worker_jobs", "worker_order", "worker_deregister".
///            settings      "config_get" {"name", "queue"}: a setting, of the queue if one is named; "config_set" {"name",
///                          "value", "queue"}: set it; null: back to its default. Spans are milliseconds: "heartbeat"
///                          (60000) and "grace-period" (10000), also per queue, "jobs-history", "jobs-history-count",
///                          "stats-history", "max-worker-age", "max-data", "events" ("tracked", or "all") and, for tests,
///                          "test-clock" (milliseconds since 1970, or "off"). "config_all", "config_unset";
///                          "pattern_get", "pattern_set".
///            upkeep        "sweep", "check".
/// args_json  A JSON object, or NULL for "{}". What "queue_put" and "recurring_put" do not say there is as mh_client_define() says
///            of the kind.
///
/// Returns MH_CODE_OK and sets *out_reply_json to the operation's reply. In an operation on many items, the error of
/// one item stands in its place in the reply: {"jid", "error": {"code", "name", "message", …}}.
/// Returns MH_CODE_UNKNOWN_OPERATION; MH_CODE_INVALID_ARGUMENT naming the argument; MH_CODE_CLOSED;
/// MH_CODE_UNAVAILABLE, MH_CODE_TIMEOUT or MH_CODE_OUTCOME_UNKNOWN when Redis cannot be reached; MH_CODE_DENIED,
/// MH_CODE_READ_ONLY, MH_CODE_OUT_OF_MEMORY, MH_CODE_ENGINE_OUTDATED, MH_CODE_SCHEMA_MISMATCH,
/// MH_CODE_NO_SERVER_PROGRAM; and what the operation itself answers.
///
/// A call whose connection breaks is repeated for the client's timeout_ms, and happens once all the same.
///
/// Ownership: the caller frees *out_reply_json with mh_string_free(). It may be a NULL pointer when the reply is not
/// wanted.
/// Threads:   any number at once.
/// Blocking:  for one round trip to Redis; for up to timeout_ms while it cannot be reached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_call(
    client: *mut mh_client,
    operation: *const c_char,
    args_json: *const c_char,
    out_reply_json: *mut *mut c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let client = handle!(client)?;
        let operation = text!(operation)?;
        let args = optional_text!(args_json).map_err(|error| error.during(operation))?.unwrap_or("{}");
        let out_reply_json = optional_output!(out_reply_json);
        let filled = client.kinds().fill_call(operation, args);
        let reply = client.client().call(operation, filled.as_deref().unwrap_or(args))?;
        out_reply_json.give_text(reply, "the reply")
    })
}

/// The client's URL in full, with the absolute path for embedded:, to be given to other processes. NULL for NULL.
///
/// It contains the password, if one was given.
///
/// Ownership: the text belongs to `client`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_url(client: *const mh_client) -> *const c_char {
    read!(client, ptr::null(), |client: &mh_client| client.url.as_ptr())
}

/// The client's namespace. NULL for NULL.
///
/// Ownership: the text belongs to `client`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_namespace(client: *const mh_client) -> *const c_char {
    read!(client, ptr::null(), |client: &mh_client| client.namespace.as_ptr())
}

/// Close the client's connections and end the waiting of other threads; from then on its calls, and those of the jobs
/// and workers made with it, return MH_CODE_CLOSED. Stop the workers first. Closing twice is fine.
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `client` is NULL.
///
/// Ownership: the handle remains, and is freed with mh_client_free().
/// Threads:   any.
/// Blocking:  no; the last user of an embedded: server waits until it has stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_close(client: *mut mh_client, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, {
        handle!(client)?.client().close();
        Ok(())
    })
}

/// Free a client. NULL is fine. Its workers and jobs keep its connections, and close them when the last is freed.
///
/// Threads:   none may be using the handle.
/// Blocking:  no; the last user of an embedded: server waits until it has stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_free(client: *mut mh_client) {
    free!(client);
}
