-- Books calls that have passed a worker while Redis was away: once, however often it is told of them. values.lua stands
-- before it.
--
-- They are counted where admit.lua would have counted them: in the day and the month that they passed in. The quota may be
-- exceeded by it.
--
-- USAGE_KEY usage:{user}  BOOKED_KEY booked:{user}
-- Names are those of BookOutageCallsSignature. Behind the arguments stand, for each day and route, the earliest day
-- first: first and last day of its period, the day, the route, calls.
--
-- The days are in usage:{user}:<day>; their names are made here, they lie in the same slot. Values of another type are
-- found before the first write.
--
-- Reply: the outcome. With CLOCK_DIFFERS nothing was written.

local KEYS, ARGV, call, try = KEYS, ARGV, redis.call, redis.pcall
local DAY_TTL_SECONDS, LINE_LENGTH = 32 * 86400, 5
local usage_key, booked_key, worker, number, now = KEYS[USAGE_KEY], KEYS[BOOKED_KEY], ARGV[WORKER], ARGV[NUMBER], ARGV[NOW]
local present, present_end = ARGV[PERIOD_START], ARGV[PERIOD_END]

local latest = try('HGET', booked_key, worker)
if type(latest) == 'table' then return tools().failure(booked_key, latest) end
if (whole_number(latest) or 0) >= tonumber(number) then return BOOKED_BEFORE end

local record = try('HMGET', usage_key, 'usageCount', 'periodStart', 'previousPeriodStart', 'previousUsageCount',
  'takenOverPeriodStart')
if record.err then return tools().failure(usage_key, record) end
for place = REST, #ARGV, LINE_LENGTH do
  local day_key = usage_key .. ':' .. ARGV[place + 2]
  local calls = try('HGET', day_key, ARGV[place + 3])
  if type(calls) == 'table' then return tools().failure(day_key, calls) end
end
if tools().clock_differs(ARGV[MINUTE], now, tonumber(ARGV[CLOCK_TOLERANCE])) then return CLOCK_DIFFERS end

-- The first write.
call('HSET', booked_key, worker, number)
call('EXPIRE', booked_key, ARGV[BOOKED_SECONDS])

local function is_day(text) return tools().moment((text or '') .. 'T00:00:00Z') end

local count, start, taken_over = whole_number(record[1]) or 0, record[2], record[5]
local before_start, before_count = record[3], whole_number(record[4]) or 0
local new_end, adds, adds_before = nil, false, false

-- Where the calls of a line belong: the period in the record, the one before it, or one of which no count is kept.
local function add(period, last_day, day, calls)
  -- It was passed by a clock that was ahead.
  if period > present then period, last_day = present, present_end end
  if not is_day(start) then
    -- The next admission takes what is counted there for the present period's.
    if period ~= present and (start or record[1]) then return end
    if not start then start, new_end = period, last_day end
    count, adds = count + calls, true
  elseif start == period or taken_over == period or start > period and start <= day then
    count, adds = count + calls, true
  elseif before_start == period then
    before_count, adds_before = before_count + calls, true
  elseif start < period then
    before_start, before_count, adds_before = start, count, true
    start, new_end, taken_over = period, last_day, nil
    count, adds = calls, true
  elseif start > string.sub(now, 1, 10) then
    -- It lies ahead. The next admission takes it for the present one, with its count.
    if period == present then count, adds = count + calls, true end
  elseif not is_day(before_start) or before_start < period then
    before_start, before_count, adds_before = period, calls, true
  end
end

for place = REST, #ARGV, LINE_LENGTH do
  local day, route, calls = ARGV[place + 2], ARGV[place + 3], ARGV[place + 4]
  local day_key = usage_key .. ':' .. day
  local sum = try('HINCRBY', day_key, route, calls)
  if type(sum) == 'table' then
    -- What stands there is no number.
    call('HSET', day_key, route, calls)
    sum = tonumber(calls)
  end
  if sum == tonumber(calls) then call('EXPIRE', day_key, DAY_TTL_SECONDS) end
  add(ARGV[place], ARGV[place + 1], day, tonumber(calls))
end

local function text(count) return string.format('%.0f', math.min(count, 9007199254740992)) end

if not adds and not adds_before then return BOOKED end
if adds then call('HSET', usage_key, 'usageCount', text(count)) end
call('HSET', usage_key, 'lastUpdated', now)
if new_end then
  call('HSET', usage_key, 'periodStart', start, 'periodEnd', new_end)
  call('HDEL', usage_key, 'takenOverPeriodStart')
end
if adds_before then
  call('HSET', usage_key, 'previousPeriodStart', before_start, 'previousUsageCount', text(before_count))
end
call('EXPIRE', usage_key, ARGV[RECORD_SECONDS])
return BOOKED
