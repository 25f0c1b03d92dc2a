-- Admission: rate limit, plan, quota and record in one step. Checks everything, then charges everything or nothing.
--
-- KEYS[1] ratelimit:{user}:<minute>     KEYS[2] usage:{user}                 KEYS[3] subscription:{user}
-- ARGV[1] cost in calls                 ARGV[2] 1 = an exhausted quota refuses, 0 = it only stops counting
-- ARGV[3] first day of the period       ARGV[4] last day of the period       (YYYY-MM-DD)
-- ARGV[5] now, for people (ISO 8601)    ARGV[6] seconds to keep the usage record from now
-- ARGV[7] plan claimed by the credential, or ''
-- ARGV[8] when the credential was issued (ISO 8601), or ''
-- ARGV[9] who owes a payment since then or longer has had their grace (ISO 8601)
-- ARGV[10] name of the fallback plan    ARGV[11...] the plan table: name, quota, rate per minute, name, ...
--
-- Reply, all integers: outcome (1 admitted, 2 rate limited, 3 quota exceeded), usage count, place of the plan in the
-- table (from 0), requests in this minute, 1 if the wanted plan is not in the table, first day of the period counted
-- in (YYYYMMDD).

local FALLBACK, PLAN_TABLE = 10, 11
local ADMITTED, RATE_LIMITED, QUOTA_EXCEEDED = 1, 2, 3
local RATE_TTL_SECONDS = 120

local cost = tonumber(ARGV[1])
local period_start, period_end = ARGV[3], ARGV[4]
local record = redis.call('HMGET', KEYS[2], 'usageCount', 'periodStart', 'plan', 'periodEnd')

local function place_of(name)
  for i = PLAN_TABLE, #ARGV, 3 do
    if ARGV[i] == name then return i end
  end
end

-- The rule of PlanResolution.swift, whose comments say why. Moments are compared as strings.
local function wanted_plan()
  local claimed, issued, grace_start = ARGV[7], ARGV[8], ARGV[9]
  local bought, status, past_due_since, written, clerk_updated = unpack(
    redis.call('HMGET', KEYS[3], 'plan', 'status', 'pastDueSince', 'writtenAt', 'clerkUpdatedAt'))
  if not bought then return claimed ~= '' and claimed or record[3] or ARGV[FALLBACK] end

  local grace_is_over = status == 'past_due' and (past_due_since or '') <= grace_start
  if claimed ~= '' and clerk_updated and not grace_is_over and issued > clerk_updated and issued > (written or '') then
    return claimed
  end
  local is_live = status == 'active' or status == 'trialing' or status == 'past_due'
  return is_live and not grace_is_over and bought or ARGV[FALLBACK]
end

local wanted = wanted_plan()
local place = place_of(wanted)
local unknown = 0
if not place then
  place, unknown = place_of(ARGV[FALLBACK]), 1
end
local plan, quota, rate = ARGV[place], tonumber(ARGV[place + 1]), tonumber(ARGV[place + 2])

-- Periods only go forward: around midnight a worker whose clock is a little behind must not begin the old month anew.
local used, is_new_period = 0, true
if record[2] and record[2] >= period_start then
  used, is_new_period = tonumber(record[1]) or 0, false
  period_start, period_end = record[2], record[4] or period_end
end

local requests = tonumber(redis.call('GET', KEYS[1])) or 0

local function reply(outcome)
  local day = string.gsub(period_start, '-', '')
  return { outcome, used, (place - PLAN_TABLE) / 3, requests, unknown, tonumber(day) }
end

if requests >= rate then return reply(RATE_LIMITED) end

local fits = used + cost <= quota
if not fits and ARGV[2] == '1' then return reply(QUOTA_EXCEEDED) end

requests = redis.call('INCR', KEYS[1])
if requests == 1 then redis.call('EXPIRE', KEYS[1], RATE_TTL_SECONDS) end

if fits then used = used + cost end
redis.call('HSET', KEYS[2], 'usageCount', string.format('%.0f', used), 'plan', plan, 'lastUpdated', ARGV[5],
  'periodStart', period_start, 'periodEnd', period_end)
if is_new_period then redis.call('EXPIRE', KEYS[2], ARGV[6]) end

return reply(ADMITTED)
