-- job_track: from now on events tell what happens to these jobs.
--
-- args    JSON  jids     list of 1 to 250 texts
-- reply   integer  how many were not tracked before; jids without a job are passed over
-- errors  INVALID_ARGUMENT
-- keys    {ns}:job:<jid> {ns}:tracked and the places of a job; channel {ns}:event:track
operation('job_track', 'grow', function(argv)
  return tracking.set(argv[3], true)
end)
