/* Codes, and the errors that carry them. */
#include "harness.h"

#include <string.h>

static void codes_have_names(void)
{
    CHECK_NUMBER(MH_CODE_OK, 0);
    CHECK_NUMBER(MH_CODE_LOCK_LOST, 201);
    CHECK_TEXT(mh_code_name(MH_CODE_OK), "OK");
    CHECK_TEXT(mh_code_name(MH_CODE_LOCK_LOST), "LOCK_LOST");
    CHECK_TEXT(mh_code_name(900), "INTERNAL");
    CHECK_TEXT(mh_code_name(7), "UNKNOWN");
    CHECK_TEXT(mh_code_name(-1), "UNKNOWN");
}

static void no_error_has_no_fields(void)
{
    CHECK_NUMBER(mh_error_code(NULL), MH_CODE_OK);
    CHECK_TEXT(mh_error_name(NULL), "OK");
    CHECK(mh_error_message(NULL) == NULL);
    CHECK(mh_error_operation(NULL) == NULL);
    CHECK(mh_error_jid(NULL) == NULL);
    CHECK(mh_error_reason(NULL) == NULL);
    CHECK(!mh_error_retryable(NULL));
    mh_error_free(NULL);
    mh_string_free(NULL);
}

static void says_what_during_what_about_which_job(void)
{
    mh_client *client = open_client();
    char *jid = put(client, "q", "work", NULL, NULL);
    mh_job *job = reserve(client, "q");
    CHECK_OK(mh_job_complete(job, NULL, NULL, &failure));
    CHECK_NUMBER(mh_job_complete(job, NULL, NULL, &failure), MH_CODE_LOCK_LOST);
    CHECK_NUMBER(mh_error_code(failure), MH_CODE_LOCK_LOST);
    CHECK_TEXT(mh_error_name(failure), "LOCK_LOST");
    CHECK_CONTAINS(mh_error_message(failure), jid);
    CHECK_TEXT(mh_error_operation(failure), "job_complete");
    CHECK_TEXT(mh_error_jid(failure), jid);
    CHECK_TEXT(mh_error_reason(failure), "finished");
    CHECK(!mh_error_retryable(failure));
    mh_error_free(failure);
    failure = NULL;
    mh_job_free(job);
    mh_string_free(jid);
    mh_client_free(client);
}

static void an_error_nobody_wants_is_not_made(void)
{
    mh_client *client = NULL;
    CHECK_NUMBER(mh_client_open("gopher://x", NULL, &client, NULL), MH_CODE_UNSUPPORTED_URL);
    CHECK(client == NULL);
}

const struct test error_tests[] = {
    {"codes have names", codes_have_names},
    {"no error has no fields", no_error_has_no_fields},
    {"an error says what, during what, about which job", says_what_during_what_about_which_job},
    {"an error nobody wants is not made", an_error_nobody_wants_is_not_made},
    END_OF_TESTS,
};
