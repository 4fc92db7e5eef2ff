/* Manyhands in C, as bench/peers/README.md asks: `peer SOCKET JOBS SIZE MODE`. */
#include <manyhands.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 1000

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say(double number) {
  printf("%f\n", number);
  fflush(stdout);
}

static mh_error *error = NULL;

static void check(mh_code code) {
  if (code != MH_CODE_OK) {
    fprintf(stderr, "%s\n", mh_error_message(error));
    exit(1);
  }
}

static void put_all(mh_client *client, long jobs, const char *data) {
  const char *form = "{\"queue\":\"bench\",\"kind\":\"noop\",\"data\":%s},";
  size_t each = strlen(form) + strlen(data);
  char *many = malloc(each * AT_ONCE + 2);
  if (many == NULL) exit(1);
  for (; jobs > 0; jobs -= AT_ONCE) {
    char *at = many;
    *at++ = '[';
    for (long number = 0; number < jobs && number < AT_ONCE; number++) at += sprintf(at, form, data);
    at[-1] = ']';
    check(mh_queue_put_many(client, many, NULL, &error));
  }
  free(many);
}

static void perform(mh_client *client, long jobs, const char *mode) {
  mh_worker *worker = NULL;
  double begun = 0;
  int drains = strcmp(mode, "drain") == 0;
  if (strcmp(mode, "hold") == 0 || strcmp(mode, "rescue") == 0) {
    check(mh_client_call(client, "config_set", "{\"name\": \"heartbeat\", \"value\": 1000}", NULL, &error));
    check(mh_client_call(client, "config_set", "{\"name\": \"grace-period\", \"value\": 0}", NULL, &error));
  }
  check(mh_worker_open(client, "{\"queues\": [\"bench\"], \"threads\": 1}", &worker, &error));
  for (long started = 0; !drains || started < jobs;) {
    mh_job *job = NULL;
    check(mh_worker_next(worker, 1000, &job, &error));
    if (job == NULL) continue;
    double now = seconds();
    if (!drains) say(now);
    if (strcmp(mode, "hold") == 0) sleep(3600);
    if (started++ == 0) begun = now;
    if (drains && started == jobs) say(now - begun);
    check(mh_job_complete(job, NULL, NULL, &error));
    mh_job_free(job);
  }
  check(mh_worker_stop(worker, -1, &error));
  mh_worker_free(worker);
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  char url[256], line[16];
  mh_client *client = NULL;
  long jobs = atol(arguments[2]), size = atol(arguments[3]);
  const char *mode = arguments[4];
  char *data = malloc((size_t)size + 1);
  if (data == NULL) return 1;
  memset(data, 'x', (size_t)size);
  data[0] = data[size - 1] = '"';
  data[size] = 0;
  snprintf(url, sizeof url, "unix://%s", arguments[1]);
  check(mh_client_open(url, NULL, &client, &error));
  if (strcmp(mode, "put") == 0) {
    double begun = seconds();
    put_all(client, jobs, data);
    say(seconds() - begun);
  } else if (strcmp(mode, "putter") == 0) {
    while (fgets(line, sizeof line, stdin) != NULL) {
      double begun = seconds();
      check(mh_queue_put(client, "bench", "noop", data, NULL, NULL, NULL, &error));
      say(begun);
    }
  } else {
    perform(client, jobs, mode);
  }
  free(data);
  mh_client_free(client);
  return 0;
}
