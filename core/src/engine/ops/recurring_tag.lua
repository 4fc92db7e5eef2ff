-- recurring_tag: adds tags to those its jobs will have.
--
-- args    JSON  jid      text
--               tags     list of 1 to 32 texts
-- reply   list  the tags now
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND
-- keys    {ns}:template:<jid>
operation('recurring_tag', 'write', function(argv)
  local jid, given = tags.parse(argv[3])
  local template = recurring.existing(jid)
  template.options.tags = tags.with(template.options.tags, given)
  recurring.save(template)
  return template.options.tags or {}
end)
