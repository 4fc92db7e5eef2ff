-- job_release: gives a job back unstarted: its old place, no retry spent, no trace in stats, nor in history but what was logged.
--
-- args    items of  jid      text
--                   token    text     proves the lease
-- reply   per item (at most 125)  waiting | LOCK_LOST <reason>
-- errors  INVALID_ARGUMENT
-- keys    {ns}:job:<jid> {ns}:running:<q> {ns}:lease:<token>:<q> {ns}:leases:<q> {ns}:leased:<q> {ns}:grace:<q> {ns}:worker-jobs:<name>
--         {ns}:worker-leases:<name> {ns}:waiting:<q> {ns}:wake:<q>
operation('job_release', 'write', outcome.operation('release', 2), nil, true)
