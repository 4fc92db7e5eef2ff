-- recurring_resume: goes on at the first of its instants that is still to come; what was missed meanwhile is not made up for.
--
-- args    JSON  jid      text
-- reply   integer  1 when it was paused before, else 0
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND
-- keys    {ns}:template:<jid> {ns}:recurring:<q> {ns}:due {ns}:wake:<q>
operation('recurring_resume', 'write', function(argv)
  local args = check.object(argv[3], 'args', { jid = true })
  local template = recurring.existing(args.jid)
  if not template.paused then
    return 0
  end
  template.paused = false
  recurring.skip_missed(template)
  recurring.save(template)
  queues.wake(template.queue)
  return 1
end)
