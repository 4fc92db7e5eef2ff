-- job_tag: adds tags to a job.
--
-- args    JSON  jid      text
--               tags     list of 1 to 32 texts; the job may have 32 in all
-- reply   list  the job's tags now
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND
-- keys    {ns}:job:<jid> {ns}:tag:<t> {ns}:tags and the places of a job
operation('job_tag', 'grow', function(argv)
  local jid, added = tags.parse(argv[3])
  state.begin()
  local job = state.existing(jid)
  state.set_rare(job, TAGS, tags.with(record.rare(job, TAGS), added))
  state.commit()
  return record.rare(job, TAGS)
end)
