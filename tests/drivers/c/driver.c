/* Answers the scenario runner through manyhands.h. The protocol: tests/README.md. */
#define _POSIX_C_SOURCE 200809L
#include <manyhands.h>

#include <stdlib.h>
#include <string.h>

#include "json.h"

enum { MOST_RESERVED = 1000, MOST_HELD = 8192 };

/* An open client by its label, and the reserved jobs that nobody ended. */
typedef struct client {
  char *label;
  mh_client *handle;
  mh_job *held[MOST_HELD];
  struct client *next;
} client;

static client *clients;

/* Prints {"reply": …}, or {"error": {…}}; frees both. */
static void print_answer(char *reply, mh_error *error) {
  if (!error) {
    printf("{\"reply\":%s}\n", reply ? reply : "null");
  } else {
    const struct { const char *name, *text; } texts[] = {
        {"name", mh_error_name(error)},           {"message", mh_error_message(error)}, {"jid", mh_error_jid(error)},
        {"operation", mh_error_operation(error)}, {"reason", mh_error_reason(error)},
    };
    printf("{\"error\":{\"code\":%d,\"retryable\":%s", mh_error_code(error), mh_error_retryable(error) ? "true" : "false");
    for (size_t index = 0; index < sizeof texts / sizeof *texts; index++) {
      printf(",\"%s\":", texts[index].name);
      texts[index].text ? json_write_text(stdout, texts[index].text) : (void)fputs("null", stdout);
    }
    puts("}}");
  }
  fflush(stdout);
  mh_string_free(reply);
  mh_error_free(error);
}

/* The client of a label, opened when it is new; NULL with an error when it cannot be. */
static client *client_of(const char *label, const char *options, mh_error **out_error) {
  for (client *one = clients; one; one = one->next) {
    if (strcmp(one->label, label) == 0) {
      return one;
    }
  }
  json_span all = {options, strlen(options)}, url = json_member(all, "url");
  char *address = json_copy(url), *others = NULL;
  size_t length;
  FILE *text = open_memstream(&others, &length);
  json_span name, value;
  fputc('{', text);
  for (const char *at = options; json_next_member(&at, &name, &value);) {
    if (value.text != url.text) {
      fprintf(text, "%s%.*s:%.*s", ftell(text) > 1 ? "," : "", (int)name.length, name.text, (int)value.length, value.text);
    }
  }
  fputc('}', text);
  fclose(text);
  mh_client *handle = NULL;
  client *opened = NULL;
  if (mh_client_open(address, others, &handle, out_error) == MH_CODE_OK) {
    opened = calloc(1, sizeof *opened);
    opened->label = strdup(label);
    opened->handle = handle;
    opened->next = clients;
    clients = opened;
  }
  free(address);
  free(others);
  return opened;
}

static void put(client *here, json_span jobs) {
  char *list = json_copy(jobs), *reply = NULL;
  mh_error *error = NULL;
  mh_queue_put_many(here->handle, list, &reply, &error);
  print_answer(reply, error);
  free(list);
}

static void hold(client *here, mh_job *job) {
  for (size_t index = 0; index < MOST_HELD; index++) {
    if (!here->held[index]) {
      here->held[index] = job;
      return;
    }
  }
  fputs("too many jobs in hand\n", stderr);
  exit(1);
}

static void print_job(const mh_job *job, const char *worker) {
  const struct { const char *name, *text; } texts[] = {
      {"jid", mh_job_jid(job)}, {"kind", mh_job_kind(job)}, {"queue", mh_job_queue(job)}, {"token", mh_job_token(job)}, {"worker", worker},
  };
  fputc('{', stdout);
  for (size_t index = 0; index < sizeof texts / sizeof *texts; index++) {
    printf("\"%s\":", texts[index].name);
    json_write_text(stdout, texts[index].text);
    fputc(',', stdout);
  }
  printf("\"data\":%s,\"tags\":%s,\"route\":%s,", mh_job_data(job), mh_job_tags_json(job), mh_job_route_json(job));
  printf("\"headers\":%s,", mh_job_headers_json(job));
  const char *backoff = mh_job_backoff_json(job);
  if (mh_job_timeout_ms(job) > 0)
    printf("\"timeout_ms\":%lld,", (long long)mh_job_timeout_ms(job));
  else
    printf("\"timeout_ms\":null,");
  printf("\"backoff_ms\":%s,", backoff != NULL ? backoff : "null");
  printf("\"throttles\":%s,\"tracked\":%s,\"parent\":", mh_job_throttles_json(job), mh_job_tracked(job) ? "true" : "false");
  mh_job_parent(job) ? json_write_text(stdout, mh_job_parent(job)) : (void)fputs("null", stdout);
  fputc(',', stdout);
  printf("\"priority\":%d,\"retries\":%d,\"remaining\":%d,", mh_job_priority(job), mh_job_retries(job), mh_job_remaining(job));
  printf("\"lease_ms\":%llu,", (unsigned long long)mh_job_lease_ms(job));
  printf("\"put_at_ms\":%llu}", (unsigned long long)mh_job_put_at_ms(job));
}

static void reserve(client *here, json_span queue, json_span worker, json_span limit) {
  static mh_job *jobs[MOST_RESERVED];
  char *name = json_copy(queue), *holder = json_copy(worker);
  size_t wanted = limit.text ? strtoull(limit.text, NULL, 10) : 1, count = 0;
  mh_error *error = NULL;
  if (mh_queue_reserve(here->handle, name, holder, wanted, jobs, &count, &error) != MH_CODE_OK) {
    print_answer(NULL, error);
  } else {
    fputs("{\"reply\":{\"jobs\":[", stdout);
    for (size_t index = 0; index < count; index++) {
      fputs(index ? "," : "", stdout);
      print_job(jobs[index], holder);
      hold(here, jobs[index]);
    }
    puts("]}}");
    fflush(stdout);
  }
  free(name);
  free(holder);
}

static bool is_text(json_span value, const char *text) {
  return value.length == strlen(text) + 2 && memcmp(value.text + 1, text, strlen(text)) == 0;
}

/* Where the job of an item is held; NULL when it is not. */
static mh_job **held_of(client *here, json_span item) {
  json_span jid = json_member(item, "jid"), token = json_member(item, "token");
  if (!json_is_plain_text(jid) || !json_is_plain_text(token)) {
    return NULL;
  }
  for (size_t index = 0; index < MOST_HELD; index++) {
    mh_job *job = here->held[index];
    if (job && is_text(jid, mh_job_jid(job)) && is_text(token, mh_job_token(job))) {
      return &here->held[index];
    }
  }
  return NULL;
}

/* Prints the reply about one job: a state, or the milliseconds of its lease. */
static void print_one(const char *jid, const char *name, const char *value) {
  printf("{\"reply\":[{\"jid\":\"%s\",\"%s\":%s}]}\n", jid, name, value);
  fflush(stdout);
}

static void renew(mh_job *job) {
  uint64_t lease_ms = 0;
  mh_error *error = NULL;
  char digits[32];
  if (mh_job_heartbeat(job, &lease_ms, &error) != MH_CODE_OK) {
    print_answer(NULL, error);
    return;
  }
  snprintf(digits, sizeof digits, "%llu", (unsigned long long)lease_ms);
  print_one(mh_job_jid(job), "lease_ms", digits);
}

/* {"<verb>": {…}} of what the item says besides its jid and token. The caller frees it. */
static char *outcome_of(const char *verb, json_span item) {
  char *outcome = NULL;
  const char *parted = "";
  size_t length;
  FILE *text = open_memstream(&outcome, &length);
  fprintf(text, "{\"%s\":{", verb);
  json_span name, value;
  for (const char *at = item.text; json_next_member(&at, &name, &value);) {
    if (!is_text(name, "jid") && !is_text(name, "token")) {
      fprintf(text, "%s%.*s:%.*s", parted, (int)name.length, name.text, (int)value.length, value.text);
      parted = ",";
    }
  }
  fputs("}}", text);
  fclose(text);
  return outcome;
}

/* Ends the run of a job in hand; a refused one stays in hand. */
static void end(mh_job **place, const char *verb, json_span item) {
  char *outcome = outcome_of(verb, item), *state = NULL, quoted[32];
  mh_error *error = NULL;
  if (mh_job_finish(*place, outcome, &state, &error) == MH_CODE_OK) {
    snprintf(quoted, sizeof quoted, "\"%s\"", state);
    print_one(mh_job_jid(*place), "outcome", quoted);
    mh_job_free(*place);
    *place = NULL;
  } else {
    print_answer(NULL, error);
  }
  mh_string_free(state);
  free(outcome);
}

static void call(client *here, const char *operation, const char *arguments) {
  char *reply = NULL;
  mh_error *error = NULL;
  mh_client_call(here->handle, operation, arguments, &reply, &error);
  print_answer(reply, error);
}

static void perform(client *here, const char *operation, const char *arguments) {
  json_span all = {arguments, strlen(arguments)}, jobs = json_member(all, "jobs"), item = json_sole_item(jobs);
  json_span queue = json_sole_item(json_member(all, "queues")), worker = json_member(all, "worker");
  json_span limit = json_member(all, "limit"); /* a size_t for C, so below 0 only at the door */
  bool reservable = json_is_plain_text(queue) && json_is_plain_text(worker) && (!limit.text || *limit.text != '-');
  bool about_a_job = strncmp(operation, "job_", 4) == 0 && item.text;
  /* A job measures its run itself: what tells run_ms goes through the door. */
  bool sayable = about_a_job && !json_member(item, "run_ms").text;
  mh_job **place = sayable ? held_of(here, item) : NULL;
  if (strcmp(operation, "queue_put") == 0 && jobs.text) {
    put(here, jobs);
  } else if (strcmp(operation, "queue_reserve") == 0 && reservable) {
    reserve(here, queue, worker, limit);
  } else if (place && strcmp(operation, "job_heartbeat") == 0) {
    renew(*place);
  } else if (place) {
    end(place, operation + strlen("job_"), item);
  } else if (strcmp(operation, "close") == 0) {
    mh_error *error = NULL;
    mh_client_close(here->handle, &error);
    print_answer(NULL, error);
  } else {
    call(here, operation, arguments);
  }
}

static void close_all(void) {
  while (clients) {
    client *next = clients->next;
    for (size_t index = 0; index < MOST_HELD; index++) {
      mh_job_free(clients->held[index]);
    }
    mh_client_free(clients->handle);
    free(clients->label);
    free(clients);
    clients = next;
  }
}

int main(void) {
  char *line = NULL;
  size_t size = 0;
  while (getline(&line, &size, stdin) > 0) {
    char *label = strtok(line, "\t"), *options = strtok(NULL, "\t"), *operation = strtok(NULL, "\t"), *arguments = strtok(NULL, "\n");
    mh_error *error = NULL;
    client *here = client_of(label, options, &error);
    here ? perform(here, operation, arguments) : print_answer(NULL, error);
  }
  free(line);
  close_all();
  return 0;
}
