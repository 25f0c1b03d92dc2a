-- Books calls that have passed a worker while Redis was away: once, however often it is told of them. values.lua stands
-- before it.
--
-- They are counted where admit.lua would have counted them: in the day and the month that they passed in, or, where the
-- last calls were counted in a period of the subscription, in the one that they passed in. The quota may be exceeded by it.
--
-- USAGE_KEY usage:{user}  BOOKED_KEY booked:{user}  SUBSCRIPTION_KEY subscription:{user}
-- Names are those of BookOutageCallsSignature. Behind the arguments stand, for each day and route, the earliest day
-- first: first and last day of its month, the day, the route, calls.
--
-- The days are in usage:{user}:<ten days>, as admit.lua says; their names are made here, they lie in the same slot. Values of
-- another type are found before the first write. HISTORY_SECONDS stands before the script.
--
-- Reply: the outcome. With CLOCK_DIFFERS nothing was written.

local KEYS, ARGV, call, try = KEYS, ARGV, redis.call, redis.pcall
local LINE_LENGTH = 5
local usage_key, booked_key, worker, number, now = KEYS[USAGE_KEY], KEYS[BOOKED_KEY], ARGV[WORKER], ARGV[NUMBER], ARGV[NOW]
local present, present_end = ARGV[PERIOD_START], ARGV[PERIOD_END]

local latest = try('HGET', booked_key, worker)
if type(latest) == 'table' then return tools().failure(booked_key, latest) end
if (whole_number(latest) or 0) >= tonumber(number) then return BOOKED_BEFORE end

local record = try('HMGET', usage_key, 'usageCount', 'periodStart', 'previousPeriodStart', 'previousUsageCount',
  'takenOverPeriodStart', 'otherPeriods')
if record.err then return tools().failure(usage_key, record) end
local goes_by_subscription = record[2] and #record[2] == 20 and tools().is_period(record[2])
local paid = goes_by_subscription and try('HMGET', KEYS[SUBSCRIPTION_KEY], 'periodStart', 'periodEnd', 'periodAnchor') or {}
if paid.err then return tools().failure(KEYS[SUBSCRIPTION_KEY], paid) end
local function key_and_field(day, route)
  return usage_key .. ':' .. string.sub(day, 1, 9), string.sub(day, 9) .. '/' .. route
end
for place = REST, #ARGV, LINE_LENGTH do
  local days_key, field = key_and_field(ARGV[place + 2], ARGV[place + 3])
  local calls = try('HGET', days_key, field)
  if type(calls) == 'table' then return tools().failure(days_key, calls) end
end
if tools().clock_differs(ARGV[MINUTE], now, tonumber(ARGV[CLOCK_TOLERANCE])) then return CLOCK_DIFFERS end

-- The first write.
call('HSET', booked_key, worker, number)
call('EXPIRE', booked_key, ARGV[BOOKED_SECONDS])

local function is_day(text) return tools().moment((text or '') .. 'T00:00:00Z') end

local count, start, taken_over = whole_number(record[1]) or 0, record[2], record[5]
local before_start, before_count, others = record[3], whole_number(record[4]) or 0, record[6] or ''
local new_end, adds, adds_before = nil, false, false

local function begin(period, ending, calls, found)
  others = tools().keep_period(others, before_start, before_count, present)
  before_start, before_count, adds_before = start, count, true
  start, new_end, taken_over = period, ending, nil
  count, adds = (found or 0) + calls, true
end

-- The subscription's period that a day's calls belong to. A day tells no time: its last moment is taken, if it has been.
local function period_of(day)
  local moment = day .. 'T23:59:59Z'
  if moment > now then moment = now end
  if paid[1] and paid[1] <= moment then
    local first, ending = tools().quota_period(paid[1], paid[2], paid[3], moment)
    if first then return first, ending end
  end
  if start <= moment then return start end
  if before_start and before_start <= moment then return before_start end
end

local function add_to_subscription(day, calls)
  local period, ending = period_of(day)
  if not period then return end
  if period == start then
    count, adds = count + calls, true
  elseif period == before_start then
    before_count, adds_before = before_count + calls, true
  elseif ending and period > start then
    local found, rest = tools().take_period(others, period)
    others = rest
    begin(period, ending, calls, found)
  end
end

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
    begin(period, last_day, calls)
  elseif start > string.sub(now, 1, 10) then
    -- It lies ahead. The next admission takes it for the present one, with its count.
    if period == present then count, adds = count + calls, true end
  elseif not tools().is_period(before_start) or before_start < period then
    others = tools().keep_period(others, before_start, before_count, present)
    before_start, before_count, adds_before = period, calls, true
  end
end

for place = REST, #ARGV, LINE_LENGTH do
  local day, route, calls = ARGV[place + 2], ARGV[place + 3], ARGV[place + 4]
  local days_key, field = key_and_field(day, route)
  local sum = try('HINCRBY', days_key, field, calls)
  if type(sum) == 'table' then
    -- What stands there is no number.
    call('HSET', days_key, field, calls)
    sum = tonumber(calls)
  end
  if sum == tonumber(calls) then call('EXPIRE', days_key, HISTORY_SECONDS) end
  if goes_by_subscription then
    add_to_subscription(day, tonumber(calls))
  else
    add(ARGV[place], ARGV[place + 1], day, tonumber(calls))
  end
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
if others ~= (record[6] or '') then
  if others == '' then call('HDEL', usage_key, 'otherPeriods') else call('HSET', usage_key, 'otherPeriods', others) end
end
call('EXPIRE', usage_key, ARGV[RECORD_SECONDS])
return BOOKED
