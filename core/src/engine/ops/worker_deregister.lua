-- worker_deregister: drops workers from the list; jobs that they still have in hand go on, or are handed on when their
-- leases end. One that lives is back with its next pulse.
--
-- args    JSON  workers  list of 1 to 250 texts
-- reply   integer  how many were known
-- errors  INVALID_ARGUMENT
-- keys    {ns}:workers {ns}:worker:<name>
operation('worker_deregister', 'write', function(argv)
  local args = check.object(argv[3], 'args', { workers = true })
  local workers = check.some_names(args.workers, 'workers', MAX_ITEMS)
  for _, worker in ipairs(workers) do
    call('DEL', keys.worker(worker))
  end
  return call('ZREM', keys.workers(), unpack(workers))
end)
