-- job_untag: takes tags off a job; those it does not have are passed over.
--
-- args    JSON  jid      text
--               tags     list of 1 to 32 texts
-- reply   list  the job's tags now
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND
-- keys    {ns}:job:<jid> {ns}:tag:<t> {ns}:tags and the places of a job
operation('job_untag', 'write', function(argv)
  local jid, removed = tags.parse(argv[3])
  state.begin()
  local job = state.existing(jid)
  state.set_rare(job, TAGS, texts.without(record.rare(job, TAGS), removed))
  state.commit()
  return record.rare(job, TAGS) or {}
end)
