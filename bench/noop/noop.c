/* A worker process that performs no-op jobs: `manyhands work -- target/bench/noop`. */
#include <manyhands.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static mh_worker *worker = NULL;

static void check(mh_code code, mh_error *error) {
  if (code != MH_CODE_OK) {
    fprintf(stderr, "%s\n", mh_error_message(error));
    exit(1);
  }
}

static void *perform_all(void *unused) {
  mh_error *error = NULL;
  mh_job *job = NULL;
  mh_code code;
  while ((code = mh_worker_next(worker, UINT64_MAX, &job, &error)) == MH_CODE_OK) {
    if (job == NULL) continue;
    check(mh_job_complete(job, NULL, NULL, &error), error);
    mh_job_free(job);
  }
  if (code != MH_CODE_CLOSED) check(code, error);
  mh_error_free(error);
  return unused;
}

int main(void) {
  mh_client *client = NULL;
  mh_error *error = NULL;
  check(mh_client_open_under_settings(NULL, &client, &error), error);
  check(mh_worker_open_under_settings(client, "{\"queues\": [\"bench\"], \"kinds\": [\"noop\"]}", &worker, &error), error);
  size_t threads = mh_worker_threads(worker);
  pthread_t *others = calloc(threads, sizeof *others);
  if (others == NULL) return 1;
  for (size_t index = 0; index < threads; index++)
    if (pthread_create(&others[index], NULL, perform_all, NULL) != 0) return 1;
  for (size_t index = 0; index < threads; index++) pthread_join(others[index], NULL);
  free(others);
  check(mh_worker_stop(worker, -1, &error), error);
  mh_worker_free(worker);
  mh_client_free(client);
  return 0;
}
