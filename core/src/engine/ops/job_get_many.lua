-- job_get_many: all that is known of several jobs.
--
-- args    JSON  jids     list of at most 250 texts
-- reply   map   jobs  list in the order asked, each as job_get answers, null where there is none;
--               rest  list of the last jids, not looked up because the reply had its 8 MiB, or its 150
--               jobs (fewer with long histories): ask again for these
-- errors  INVALID_ARGUMENT
-- keys    those of job_get
operation('job_get_many', 'read', function(argv)
  local args = check.object(argv[3], 'args', { jids = true })
  return view.jobs(check.names(args.jids, 'jids', MAX_ITEMS))
end)
