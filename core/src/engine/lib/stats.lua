-- Figures per queue and UTC day: wait and run time with count, mean, sum of squared deviations
-- (Chan, Golub, LeVeque 1983: merged per batch) and a histogram; failures and retries counted apart.
--
-- {ns}:stats:<day>:<q>  hash: sums (six doubles: wait count, mean, squares, then those of the run), w<bucket> r<bucket>,
--                       failures, retries, failed (still so of those that failed then). <day> counts days since 1970-01-01.
local stats = {}

local SECOND, MINUTE, HOUR, DAY = 1000, 60000, 3600000, 86400000
local FINE = { 1, 2, 5, 10, 20, 50, 100, 200, 500 }
local FINE_COUNT, DAYS = 9, 30

-- Buckets 1..9 end at 1-2-5 ms; then each second to a minute, minute to an hour, hour to a day, day to 30.
local function bucket_of(span)
  if span <= 500 then
    local bucket = 1
    while span > FINE[bucket] do
      bucket = bucket + 1
    end
    return bucket
  end
  if span <= MINUTE then
    return FINE_COUNT + ceil(span / SECOND)
  elseif span <= HOUR then
    return FINE_COUNT + 59 + ceil(span / MINUTE)
  elseif span <= DAY then
    return FINE_COUNT + 118 + ceil(span / HOUR)
  end
  return FINE_COUNT + 141 + min(ceil(span / DAY), DAYS + 1)
end

local LAST_BUCKET = FINE_COUNT + 141 + DAYS + 1

local function upper_of(bucket)
  if bucket <= FINE_COUNT then
    return FINE[bucket]
  end
  bucket = bucket - FINE_COUNT
  if bucket <= 60 then
    return bucket * SECOND
  elseif bucket <= 119 then
    return (bucket - 59) * MINUTE
  elseif bucket <= 142 then
    return (bucket - 118) * HOUR
  end
  return (bucket - 141) * DAY
end

-- Samples of the call in progress, by queue; summed up and written once by flush.
local samples = {}

local function of_queue(queue)
  local sample = samples[queue]
  if not sample then
    sample = { failures = 0, retries = 0, count = 0, waits = {}, runs = {}, times = {} }
    samples[queue] = sample
  end
  return sample
end

-- One run's outcome, or so many that are alike: how long it ran by the worker's clock; how long it had waited is what remains.
-- Neighbours in a batch are mostly alike, and then counted together.
function stats.sample(queue, run_ms, ready_at, alike)
  local sample, wait_ms = samples[queue] or of_queue(queue), now - run_ms - ready_at
  local count, runs, waits, times = sample.count, sample.runs, sample.waits, sample.times
  if wait_ms < 0 then
    wait_ms = 0
  end
  if waits[count] == wait_ms and runs[count] == run_ms then
    times[count] = times[count] + (alike or 1)
    return
  end
  count = count + 1
  sample.count, runs[count], waits[count], times[count] = count, run_ms, wait_ms, alike or 1
end

function stats.failure(queue)
  local sample = of_queue(queue)
  sample.failures = sample.failures + 1
end

function stats.retry(queue)
  local sample = of_queue(queue)
  sample.retries = sample.retries + 1
end

local SUMS = '<dddddd'

local function sums_of(stored)
  if stored then
    return from_bytes(SUMS, stored)
  end
  return 0, 0, 0, 0, 0, 0
end

-- Count, mean and squares with those of spans, each so many times.
local function merged(spans, times, old_count, old_mean, old_squares)
  local count, sum, squares = 0, 0, 0
  for index = 1, #spans do
    count, sum = count + times[index], sum + times[index] * spans[index]
  end
  local mean = sum / count
  for index = 1, #spans do
    local deviation = spans[index] - mean
    squares = squares + times[index] * deviation * deviation
  end
  local total, delta = old_count + count, mean - old_mean
  return total, old_mean + delta * count / total, old_squares + squares + delta * delta * old_count * count / total
end

local function add(fields, amounts, name, amount)
  if not amounts[name] then
    fields[#fields + 1], amounts[name] = name, 0
  end
  amounts[name] = amounts[name] + amount
end

-- The fields to count in, after 'sums', and what to add to each.
local function amounts_of(sample)
  local fields, amounts, waits, runs, times = { 'sums' }, {}, sample.waits, sample.runs, sample.times
  for index = 1, sample.count do
    add(fields, amounts, 'w' .. bucket_of(waits[index]), times[index])
    add(fields, amounts, 'r' .. bucket_of(runs[index]), times[index])
  end
  if sample.failures > 0 then
    add(fields, amounts, 'failures', sample.failures)
  end
  if sample.retries > 0 then
    add(fields, amounts, 'retries', sample.retries)
  end
  return fields, amounts
end

local function expire(key)
  if call('PTTL', key) < 0 then
    call('PEXPIRE', key, text(config.get('stats-history')))
  end
end

-- Two commands for all figures of a queue, and for the first of a day those that have them expire.
local function flush_queue(key, sample)
  local fields, amounts = amounts_of(sample)
  local old, new, length = call('HMGET', key, unpack(fields)), {}, 0
  for index = 2, #fields do
    local name = fields[index]
    new[length + 1], new[length + 2] = name, text((old[index] and tonumber(old[index]) or 0) + amounts[name])
    length = length + 2
  end
  if sample.count > 0 then
    local wc, wm, ws, rc, rm, rs = sums_of(old[1])
    wc, wm, ws = merged(sample.waits, sample.times, wc, wm, ws)
    rc, rm, rs = merged(sample.runs, sample.times, rc, rm, rs)
    new[length + 1], new[length + 2] = 'sums', to_bytes(SUMS, wc, wm, ws, rc, rm, rs)
  end
  call('HSET', key, unpack(new))
  if not old[1] then
    expire(key)
  end
end

local function with_one(count, mean, squares, span)
  local total, delta = count + 1, span - mean
  return total, mean + delta / total, squares + delta * delta * count / total
end

-- What `sample` and `flush` do, for one run.
function stats.write_one(queue, run_ms, ready_at)
  local wait_ms, key = max(0, now - run_ms - ready_at), keys.stats(floor(now / DAY), queue)
  local wait_field, run_field = 'w' .. bucket_of(wait_ms), 'r' .. bucket_of(run_ms)
  local old = call('HMGET', key, 'sums', wait_field, run_field)
  local wc, wm, ws, rc, rm, rs = sums_of(old[1])
  wc, wm, ws = with_one(wc, wm, ws, wait_ms)
  rc, rm, rs = with_one(rc, rm, rs, run_ms)
  local waits, runs = text(tonumber(old[2] or '0') + 1), text(tonumber(old[3] or '0') + 1)
  call('HSET', key, 'sums', to_bytes(SUMS, wc, wm, ws, rc, rm, rs), wait_field, waits, run_field, runs)
  if not old[1] then
    expire(key)
  end
end

-- The figures of the day of an instant.
function stats.key_at(instant, queue)
  return keys.stats(floor(instant / DAY), queue)
end

-- How many of those that failed on that day are still failed; figures that have expired stay away.
function stats.shift_failed(key, difference)
  if difference > 0 or call('EXISTS', key) == 1 then
    call('HINCRBY', key, 'failed', text(difference))
  end
end

function stats.begin()
  if next(samples) then
    samples = {}
  end
end

function stats.flush()
  local day = floor(now / DAY)
  for queue, sample in pairs(samples) do
    flush_queue(keys.stats(day, queue), sample)
  end
  samples = {}
end

-- The quantile by the histogram, straight lines within a bucket.
local function quantile(histogram, count, share)
  local rank, seen = share * count, 0
  for _, pair in ipairs(histogram) do
    if seen + pair[2] >= rank then
      local bucket = pair[1] == null and LAST_BUCKET or bucket_of(pair[1])
      local lower = bucket > 1 and upper_of(bucket - 1) or 0
      return bucket == LAST_BUCKET and lower or lower + (pair[1] - lower) * (rank - seen) / pair[2]
    end
    seen = seen + pair[2]
  end
  return 0
end

local function series_view(fields, letter, count, mean, squares)
  local histogram = {}
  for bucket = 1, LAST_BUCKET do
    local number = fields[letter .. bucket]
    if number then
      histogram[#histogram + 1] = { bucket == LAST_BUCKET and null or upper_of(bucket), tonumber(number) }
    end
  end
  return {
    map = {
      count = count,
      mean_ms = { double = mean },
      deviation_ms = { double = count > 0 and (squares / count) ^ 0.5 or 0 },
      p50_ms = { double = quantile(histogram, count, 0.5) },
      p99_ms = { double = quantile(histogram, count, 0.99) },
      histogram = histogram,
    },
  }
end

local function days_in(month, year)
  if month == 2 then
    return (year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)) and 29 or 28
  end
  return (month == 4 or month == 6 or month == 9 or month == 11) and 30 or 31
end

-- The day number of YYYY-MM-DD (Howard Hinnant, days_from_civil), or of now.
local function day_number(day)
  if day == nil then
    return floor(now / DAY)
  end
  local year, month, date = match(tostring(day), '^(%d%d%d%d)%-(%d%d)%-(%d%d)$')
  year, month, date = tonumber(year), tonumber(month), tonumber(date)
  if not year or month < 1 or month > 12 or date < 1 or date > days_in(month, year) then
    fail('INVALID_ARGUMENT', 'day must be a date as YYYY-MM-DD')
  end
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local era = floor(year / 400)
  local year_of_era = year - era * 400
  local day_of_year = floor((153 * (month - 3) + 2) / 5) + date - 1
  return era * 146097 + year_of_era * 365 + floor(year_of_era / 4) - floor(year_of_era / 100) + day_of_year - 719468
end

local function figures(queue, day)
  local flat, fields = call('HGETALL', keys.stats(day_number(day), queue)), {}
  for index = 1, #flat, 2 do
    fields[flat[index]] = flat[index + 1]
  end
  return fields
end

-- Half of the queue's runs today took no longer; nil without runs.
function stats.median_run(queue)
  local fields = figures(queue)
  local _, _, _, count, mean, squares = sums_of(fields.sums)
  local run = series_view(fields, 'r', count, mean, squares).map
  return run.count > 0 and run.p50_ms.double or nil
end

function stats.read(queue, day)
  local fields = figures(queue, day)
  local wc, wm, ws, rc, rm, rs = sums_of(fields.sums)
  return {
    map = {
      wait = series_view(fields, 'w', wc, wm, ws),
      run = series_view(fields, 'r', rc, rm, rs),
      failures = tonumber(fields.failures or '0'),
      failed = tonumber(fields.failed or '0'),
      retries = tonumber(fields.retries or '0'),
    },
  }
end

return stats
