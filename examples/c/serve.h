/* What is the same in every worker program: settings from outside, threads, signals, a good end. To be copied beside worker.c. */
#ifndef SERVE_H
#define SERVE_H

#include <manyhands.h>
#include <stddef.h>

/* Jobs of one kind: what holds for them, as mh_client_define() takes it, and their handler. That returns NULL when all went well, else
 * the class of its error; or it ends the run itself, as with a result. One that may take long looks at mh_job_interrupted() now and
 * then, and gives up when that says why. */
struct kind {
    const char *name, *options;
    const char *(*perform)(mh_job *job);
};

/* Performs jobs until a signal, a master or JOBS_PER_FORK ends it, on as many threads as the settings say, which win over
 * `worker_options`. Answers the status to exit with. */
int serve(const struct kind *kinds, size_t count, const char *worker_options);

#endif
