-- job_untrack: events no longer tell of these jobs.
--
-- args    JSON  jids     list of 1 to 250 texts
-- reply   integer  how many were tracked before
-- errors  INVALID_ARGUMENT
-- keys    {ns}:job:<jid> {ns}:tracked and the places of a job; channel {ns}:event:untrack
operation('job_untrack', 'write', function(argv)
  return tracking.set(argv[3], false)
end)
