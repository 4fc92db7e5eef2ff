-- recurring_untag: takes tags off those its jobs will have.
--
-- args    JSON  jid      text
--               tags     list of 1 to 32 texts
-- reply   list  the tags now
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND
-- keys    {ns}:template:<jid>
operation('recurring_untag', 'write', function(argv)
  local jid, given = tags.parse(argv[3])
  local template = recurring.existing(jid)
  template.options.tags = texts.without(template.options.tags, given)
  recurring.save(template)
  return template.options.tags or {}
end)
