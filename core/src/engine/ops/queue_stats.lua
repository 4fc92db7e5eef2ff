-- queue_stats: the figures of a queue on one UTC day, kept for `stats-history`.
--
-- args    JSON  queue    text
--               day      text     YYYY-MM-DD (today)
-- reply   map   wait run  maps of count, mean_ms, deviation_ms, p50_ms, p99_ms (from the histogram, straight within a bucket),
--               histogram (list of [upper bound in ms, count], buckets with jobs only;
--               no upper bound, null, beyond 30 days); failures retries  integers; failed  integer, how many of those that
--               failed on this day are still failed
-- errors  INVALID_ARGUMENT
-- keys    {ns}:stats:<day>:<q>
operation('queue_stats', 'read', function(argv)
  local args = check.object(argv[3], 'args', { queue = true, day = true })
  return stats.read(check.name(args.queue, 'queue'), args.day)
end)
