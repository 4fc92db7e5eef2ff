-- job_snooze: again after a delay, spending no retry.
--
-- args    items of  jid       text
--                   token     text     proves the lease
--                   run_ms    integer  how long it ran by the worker's clock
--                   delay_ms  integer  0 or more
-- reply   per item  waiting | scheduled | LOCK_LOST <reason>
-- errors  INVALID_ARGUMENT
-- keys    {ns}:job:<jid> {ns}:history:<jid> {ns}:running:<q> {ns}:grace:<q> {ns}:worker-jobs:<name> {ns}:waiting:<q> {ns}:scheduled:<q> {ns}:due {ns}:wake:<q>
operation('job_snooze', 'write', outcome.operation('snooze', 4))
