-- Admission: key, rate limits, plan, quota and record in one step. Checks everything, then charges everything or
-- nothing. give_back.lua stands before it.
--
-- Redis spends most of its time per request here. So nothing is read, written or made that this call does not need:
-- functions stand inside the branches that call them, and arguments that few calls need come in a longer form.
--
-- KEYS[1] ratelimit:{user}:<minute>     KEYS[2] usage:{user}                 KEYS[3] subscription:{user}
-- ARGV[1] cost in calls                 ARGV[2] 1 = an exhausted quota refuses, 0 = it only stops counting
-- ARGV[3] plan claimed by the credential, or ''
-- ARGV[4] when the credential was issued (ISO 8601), or ''
-- ARGV[5] what the calls are booked under: the route
-- ARGV[6] first day of the period       ARGV[7] last day of the period       (YYYY-MM-DD)
-- ARGV[8] now, for people (ISO 8601)    ARGV[9] seconds to keep the usage record from now
-- ARGV[10] who owes a payment since then or longer has had their grace (ISO 8601)
-- ARGV[11] place of the fallback plan in the plan table, from 0
-- ARGV[12...] the plan table: name, quota, rate per minute, name, ...
--
-- The day's calls are in usage:{user}:<day>, whose name is made here: it lies in the same slot.
--
-- With a key to look at, one key and three arguments follow.
-- KEYS[4] key:{user}:{id}, or user:{user}:apiKey
-- 1 what KEYS[4] is: key, platform, or '' 2 SHA-256 of the presented key; of a platform's key the SHA-1
-- 3 scopes that are needed, with spaces between them, or ''
--
-- With anything else, two keys and seven arguments more. A key that is not needed is KEYS[2].
-- KEYS[5] idempotency:{user}:{key}      KEYS[6] ratelimit:{user}:<route>:<minute>
-- 4 1 = only tell what would be decided
-- 5 fingerprint of the request, or '' when it may not be repeated            6 how long it is remembered (ISO 8601)
-- 7 id of the reservation, or ''                                             8 when its lease ends (ISO 8601)
-- 9 repeats of a call that cost nothing
-- 10 the route's own rate per minute, or ''
--
-- Reply, all integers: outcome (1 admitted, 2 rate limited, 3 quota exceeded, 4 key unknown, 5 key revoked, 6 key
-- expired, 7 scope missing, 8 idempotency key reused), usage count, place of the plan in the table (from 0), requests
-- in this minute, 1 if the wanted plan is not in the table, first day of the period counted in (YYYYMMDD; 0 if it is
-- ARGV[6]). With the longest form: calls that are reserved, 1 if this repeats a call, requests on the route in this
-- minute. Of a key that is not let in, nothing is told.

local PLAN_TABLE, KEY_EXTRAS, ALL_EXTRAS = 12, 3, 10
local ADMITTED, RATE_LIMITED, QUOTA_EXCEEDED = 1, 2, 3
local KEY_UNKNOWN, KEY_REVOKED, KEY_EXPIRED, SCOPE_MISSING, IDEMPOTENCY_KEY_REUSED = 4, 5, 6, 7, 8
local RATE_TTL_SECONDS, CALL_TTL_SECONDS, DAY_TTL_SECONDS = 120, 86400, 32 * 86400
local SWEPT_AT_ONCE = 100

local KEYS, ARGV, call = KEYS, ARGV, redis.call
local usage_key, now, route, fallback = KEYS[2], ARGV[8], ARGV[5], tonumber(ARGV[11])
local has_key, has_all = #KEYS > 3, #KEYS > 4
local plans_end = has_all and #ARGV - ALL_EXTRAS or has_key and #ARGV - KEY_EXTRAS or #ARGV

-- The rule of KeyRecord.swift. The field tells when this secret was used, and what it tells is read with the rest.
local used_field, last_used
if has_key and ARGV[plans_end + 1] ~= '' then
  local digest, scopes = ARGV[plans_end + 2], ARGV[plans_end + 3]
  local refusal
  if ARGV[plans_end + 1] == 'platform' then
    local stored = call('GET', KEYS[4])
    if not (stored and redis.sha1hex(stored) == digest) then refusal = KEY_UNKNOWN end
  else
    local key = call('HMGET', KEYS[4], 'hash', 'status', 'expiresAt', 'lastUsedAt')
    local before = key[1] ~= digest and call('HMGET', KEYS[4], 'previousHash', 'previousUntil', 'previousUsedAt')
    if before and before[1] ~= digest then
      refusal = KEY_UNKNOWN
    elseif key[2] ~= 'active' then
      refusal = KEY_REVOKED
    elseif key[3] and key[3] <= now or before and (before[2] or '') <= now then
      refusal = KEY_EXPIRED
    elseif scopes ~= '' then
      local granted = ' ' .. (call('HGET', KEYS[4], 'scopes') or '') .. ' '
      if not string.find(granted, ' * ', 1, true) then
        for scope in string.gmatch(scopes, '%S+') do
          if not string.find(granted, ' ' .. scope .. ' ', 1, true) then refusal = SCOPE_MISSING end
        end
      end
    end
    if before then
      used_field, last_used = 'previousUsedAt', before[3]
    else
      used_field, last_used = 'lastUsedAt', key[4]
    end
  end
  if refusal then
    if has_all then return { refusal, 0, fallback, 0, 0, 0, 0, 0, 0 } end
    return { refusal, 0, fallback, 0, 0, 0 }
  end
end

local record = call('HMGET', usage_key, 'usageCount', 'periodStart', 'plan', 'periodEnd', 'reservedUntil')

-- Gives back the reservations whose lease has run out: their workers died. The usage record tells when to look.
if record[5] and record[5] <= now then
  local set = 'reservations' .. string.sub(usage_key, #'usage' + 1)
  local score = string.gsub(now, '%D', '')
  for _, member in ipairs(call('ZRANGEBYSCORE', set, '-inf', score, 'LIMIT', 0, SWEPT_AT_ONCE)) do
    call('ZREM', set, member)
    give_back(usage_key, member)
  end
  local first = call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
  if first then
    local moment = string.gsub(
      string.format('%.0f', first), '^(%d%d%d%d)(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)$', '%1-%2-%3T%4:%5:%6Z')
    call('HSET', usage_key, 'reservedUntil', moment)
  else
    call('HDEL', usage_key, 'reservedUntil')
  end
  record = call('HMGET', usage_key, 'usageCount', 'periodStart', 'plan', 'periodEnd', 'reservedUntil')
end

-- The rule of PlanResolution.swift, whose comments say why. Moments are compared as strings. What of the subscription
-- is to be outweighed by a claim is read only when there is one.
local wanted
local claimed = ARGV[3]
local bought = claimed == '' and call('HMGET', KEYS[3], 'plan', 'status')
  or call('HMGET', KEYS[3], 'plan', 'status', 'writtenAt', 'clerkUpdatedAt')
if not bought[1] then
  wanted = claimed ~= '' and claimed or record[3] or ARGV[PLAN_TABLE + 3 * fallback]
else
  local status, is_live = bought[2], bought[2] == 'active'
  local grace_is_over = false
  if status == 'past_due' then
    grace_is_over = (call('HMGET', KEYS[3], 'pastDueSince')[1] or '') <= ARGV[10]
    is_live = not grace_is_over
  elseif status == 'trialing' then
    is_live = true
  end
  local issued, clerk_updated = ARGV[4], bought[4]
  if clerk_updated and not grace_is_over and issued > clerk_updated and issued > (bought[3] or '') then
    wanted = claimed
  else
    wanted = is_live and bought[1] or ARGV[PLAN_TABLE + 3 * fallback]
  end
end

local place, unknown = PLAN_TABLE, 0
while place <= plans_end and ARGV[place] ~= wanted do place = place + 3 end
if place > plans_end then place, unknown = PLAN_TABLE + 3 * fallback, 1 end
local plan, quota, rate = ARGV[place], tonumber(ARGV[place + 1]), tonumber(ARGV[place + 2])

-- Periods only go forward: around midnight a worker whose clock is a little behind must not begin the old month anew.
local used, day, period_start, period_end, is_new_period = 0, 0, ARGV[6], ARGV[7], true
if record[2] and record[2] >= period_start then
  is_new_period, used = false, tonumber(record[1]) or 0
  if record[2] ~= period_start then
    local digits = string.gsub(record[2], '-', '')
    period_start, day = record[2], tonumber(digits)
  end
  period_end = record[4] or period_end
end

local cost, requests = tonumber(ARGV[1]), tonumber(call('GET', KEYS[1])) or 0
local outcome, reserved, route_requests, repeats = ADMITTED, 0, 0, nil
local only_tells, may_repeat, earlier_state, earlier_calls = false, false, nil, nil
local fingerprint, route_rate
if has_all then
  only_tells, fingerprint = ARGV[plans_end + 4] == '1', ARGV[plans_end + 5]
  route_rate = tonumber(ARGV[plans_end + 10])
  if route_rate then route_requests = tonumber(call('GET', KEYS[6])) or 0 end

  -- A call that was repeated often enough, and one that is remembered no more, is an ordinary one.
  may_repeat = fingerprint ~= '' and not only_tells
  if may_repeat then
    local earlier = call('HMGET', KEYS[5], 'fingerprint', 'until', 'repeats', 'state', 'calls')
    if earlier[2] and earlier[2] > now then
      if earlier[1] ~= fingerprint then
        outcome = IDEMPOTENCY_KEY_REUSED
      elseif (tonumber(earlier[3]) or 0) < tonumber(ARGV[plans_end + 9]) then
        repeats, earlier_state, earlier_calls = earlier[3], earlier[4], tonumber(earlier[5]) or 0
      else
        may_repeat = false
      end
    end
  end
end

local fits = used + cost <= quota
if outcome == ADMITTED then
  if requests >= rate or route_rate and route_requests >= route_rate then
    outcome = RATE_LIMITED
  elseif not fits and ARGV[2] == '1' and not repeats then
    outcome = QUOTA_EXCEEDED
  end
end

local charged = 0
if outcome == ADMITTED and not only_tells then
  requests = call('INCR', KEYS[1])
  if requests == 1 then call('EXPIRE', KEYS[1], RATE_TTL_SECONDS) end

  if fits and not repeats then charged = cost end
  used = used + charged
  local count = string.format('%.0f', used)
  if record[3] == plan and record[4] and not is_new_period then
    call('HSET', usage_key, 'usageCount', count, 'lastUpdated', now)
  else
    call('HSET', usage_key, 'usageCount', count, 'plan', plan, 'lastUpdated', now, 'periodStart', period_start,
      'periodEnd', period_end)
    if is_new_period then call('EXPIRE', usage_key, ARGV[9]) end
  end
  if charged > 0 then
    local day_key = usage_key .. ':' .. string.sub(now, 1, 10)
    if call('HINCRBY', day_key, route, charged) == charged then call('EXPIRE', day_key, DAY_TTL_SECONDS) end
  end

  -- To the minute, for a write with every call would be one that nobody reads.
  if used_field and string.sub(last_used or '', 1, 16) ~= string.sub(now, 1, 16) then
    call('HSET', KEYS[4], used_field, now)
  end
end
if not has_all then return { outcome, used, (place - PLAN_TABLE) / 3, requests, unknown, day } end

if outcome == ADMITTED and not only_tells then
  if route_rate then
    route_requests = call('INCR', KEYS[6])
    if route_requests == 1 then call('EXPIRE', KEYS[6], RATE_TTL_SECONDS) end
  end

  -- What there is to give back: the charge of this call, or of the earlier one whose outcome is still open.
  local reservation, lease_end = ARGV[plans_end + 7], ARGV[plans_end + 8]
  if reservation ~= '' then
    if not repeats then reserved = charged elseif earlier_state == 'open' then reserved = earlier_calls end
  end

  if repeats then
    call('HINCRBY', KEYS[5], 'repeats', 1)
    if reserved > 0 then call('HINCRBY', KEYS[5], 'open', 1) end
  elseif may_repeat then
    call('DEL', KEYS[5])
    call('HSET', KEYS[5], 'fingerprint', fingerprint, 'until', ARGV[plans_end + 6], 'repeats', 0, 'calls', charged,
      'periodStart', period_start, 'day', string.sub(now, 1, 10), 'route', route,
      'state', reserved > 0 and 'open' or 'kept', 'open', reserved > 0 and 1 or 0)
    call('EXPIRE', KEYS[5], CALL_TTL_SECONDS)
  end

  if reserved > 0 then
    local set = 'reservations' .. string.sub(usage_key, #'usage' + 1)
    local member = reservation .. ' ' .. string.format('%.0f', reserved) .. ' ' .. period_start .. ' '
      .. string.sub(now, 1, 10) .. ' ' .. route
    if may_repeat then member = reservation .. ' ' .. string.match(KEYS[5], '{([^{}]*)}$') end
    local score = string.gsub(lease_end, '%D', '')
    call('ZADD', set, score, member)
    call('EXPIRE', set, ARGV[9])
    if not record[5] or lease_end < record[5] then call('HSET', usage_key, 'reservedUntil', lease_end) end
  end
end
local repeated = outcome == ADMITTED and repeats and 1 or 0
return { outcome, used, (place - PLAN_TABLE) / 3, requests, unknown, day, reserved, repeated, route_requests }
