-- recurring_update: changes what is given of a recurring job, from the next one on; the time of that one stays, unless the
-- interval changes: then it is counted from now.
--
-- args    JSON  jid          text
--               interval_ms queue kind data backlog priority retries tags throttles route headers timeout_ms backoff_ms  as in
--               recurring_put
-- reply   OK
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND
-- keys    those of recurring_put
local KNOWN = put_options.known({ jid = true }, recurring.SETTINGS)

operation('recurring_update', 'grow', function(argv)
  local args = check.object(argv[3], 'args', KNOWN)
  local fields = recurring.parse(args)
  local template = recurring.existing(args.jid)
  local old_queue = template.queue
  for _, name in ipairs(recurring.SETTINGS) do
    if fields[name] ~= nil then
      template[name] = fields[name]
    end
  end
  for _, name in ipairs(put_options.SHARED) do
    if args[name] ~= nil then
      template.options[name] = fields.options[name]
    end
  end
  if fields.interval_ms then
    template.next_at = now + template.interval_ms
  end
  recurring.move(template, old_queue)
  return 'OK'
end)
