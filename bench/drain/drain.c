/* Drains JOBS no-op jobs with a C worker on one thread; prints the seconds it took. */
#include <manyhands.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static mh_error *error = NULL;

static void check(mh_code code) {
  if (code != MH_CODE_OK) {
    fprintf(stderr, "%s\n", mh_error_message(error));
    exit(1);
  }
}

int main(void) {
  mh_client *client = NULL;
  mh_worker *worker = NULL;
  long jobs = atol(getenv("JOBS"));
  double begun = 0;
  check(mh_client_open(NULL, NULL, &client, &error));
  check(mh_worker_open(client, "{\"queues\": [\"bench\"], \"threads\": 1}", &worker, &error));
  for (long done = 0; done < jobs;) {
    mh_job *job = NULL;
    check(mh_worker_next(worker, 1000, &job, &error));
    if (job == NULL) continue;
    if (done++ == 0) begun = seconds();
    check(mh_job_complete(job, NULL, NULL, &error));
    mh_job_free(job);
  }
  check(mh_worker_stop(worker, 10000, &error));
  printf("%f\n", seconds() - begun);
  mh_worker_free(worker);
  mh_client_free(client);
  return 0;
}
