-- recurring_pause: puts nothing until it is resumed.
--
-- args    JSON  jid      text
-- reply   integer  1 when it was not paused before, else 0
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND
-- keys    {ns}:template:<jid> {ns}:recurring:<q>
operation('recurring_pause', 'write', function(argv)
  local args = check.object(argv[3], 'args', { jid = true })
  local template = recurring.existing(args.jid)
  if template.paused then
    return 0
  end
  template.paused = true
  recurring.save(template)
  return 1
end)
