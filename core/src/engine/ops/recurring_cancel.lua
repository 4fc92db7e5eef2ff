-- recurring_cancel: puts no more of these; jobs that were put stay.
--
-- args    JSON  jids     list of 1 to 250 texts
-- reply   integer  how many there were
-- errors  INVALID_ARGUMENT
-- keys    {ns}:template:<jid> {ns}:recurring:<q>
operation('recurring_cancel', 'write', function(argv)
  local args = check.object(argv[3], 'args', { jids = true })
  local count = 0
  for _, jid in ipairs(check.some_names(args.jids, 'jids', MAX_ITEMS)) do
    local template = recurring.load(jid)
    if template then
      recurring.forget(template)
      count = count + 1
    end
  end
  return count
end)
