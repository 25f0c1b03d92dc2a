-- Admission: key, rate limits, plan, quota and record in one step. Checks everything, then charges everything or
-- nothing. give_back.lua stands before it, and what PlanScript.swift makes of the plan table: FALLBACK_PLAN, and
-- plan_named(name), which gives a plan's place in the table (from 0), quota and rate per minute, or nothing.
--
-- Redis spends most of its time per request here. So nothing is read, written or made that this call does not need:
-- functions stand inside the branches that call them, and arguments that few calls need come in a longer form.
--
-- KEYS[1] ratelimit:{user}:<minute>     KEYS[2] usage:{user}                 KEYS[3] subscription:{user}
-- ARGV[1] cost in calls                 ARGV[2] what the calls are booked under: the route
-- ARGV[3] first day of the period       ARGV[4] last day of the period       (YYYY-MM-DD)
-- ARGV[5] now, for people (ISO 8601)    ARGV[6] seconds to keep the usage record from now
-- ARGV[7] who owes a payment since then or longer has had their grace (ISO 8601)
--
-- The day's calls are in usage:{user}:<day>, and the platform's key that is no longer the present one in
-- user:{user}:previousApiKey. Both names are made here: they lie in the same slot.
--
-- What follows depends on the number of keys.
--
-- Three, for a token:
-- ARGV[8] plan claimed by the credential, or ''                              ARGV[9] when it was issued (ISO 8601), or ''
--
-- Four, for a key:
-- KEYS[4] key:{user}:{id}, or user:{user}:apiKey
-- ARGV[8] what KEYS[4] is: key, platform, or ''
-- ARGV[9] SHA-256 of the presented key; of a platform's key the SHA-1
-- ARGV[10] scopes that are needed, with spaces between them, or ''; of a platform's key only those that it never has
--
-- Six, for everything else. A key that is not needed is KEYS[2].
-- KEYS[4] as above                      KEYS[5] idempotency:{user}:{key}     KEYS[6] ratelimit:{user}:<route>:<minute>
-- ARGV[8] to [10] as of a key           ARGV[11] and [12] as 8 and 9 of a token
-- ARGV[13] 1 = an exhausted quota refuses, as it does elsewhere; 0 = it only stops counting
-- ARGV[14] 1 = only tell what would be decided
-- ARGV[15] fingerprint of the request, or '' when it bears no idempotency key
-- ARGV[16] how long it is remembered (ISO 8601)
-- ARGV[17] id of the reservation, or '' ARGV[18] when its lease ends (ISO 8601)
-- ARGV[19] 1 = the calls of the reservation go back when the request fails
-- ARGV[20] the route's own rate per minute, or ''
-- ARGV[21] calls with a key that are remembered of one user
--
-- A call with an idempotency key is remembered as 'open' under the id of the attempt in progress, then as 'failed' or
-- 'finished'. Of an attempt that is open and whose lease has run out, nobody has seen the end.
--
-- Reply, all integers: outcome (1 admitted, 2 rate limited, 3 quota exceeded, 4 key unknown, 5 key revoked, 6 key
-- expired, 7 scope missing, 8 idempotency key reused, 9 idempotency key in use, 10 replayed), usage count, place of
-- the plan in the table (from 0), requests in this minute, 1 if the wanted plan is not in the table, first day of the
-- period counted in (YYYYMMDD; 0 if it is ARGV[3]). With the longest form: calls that may go back, 1 if they are paid for already, requests on the route in
-- this minute. Of a key that is not let in, nothing is told.

local ADMITTED, RATE_LIMITED, QUOTA_EXCEEDED = 1, 2, 3
local KEY_UNKNOWN, KEY_REVOKED, KEY_EXPIRED, SCOPE_MISSING = 4, 5, 6, 7
local IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY_IN_USE, REPLAYED = 8, 9, 10
local RATE_TTL_SECONDS, CALL_TTL_SECONDS, DAY_TTL_SECONDS = 120, 86400, 32 * 86400
local SWEPT_AT_ONCE = 100

local KEYS, ARGV, call = KEYS, ARGV, redis.call
local usage_key, now, route, has_all = KEYS[2], ARGV[5], ARGV[2], #KEYS == 6
local kind, claimed, issued = '', '', ''
if #KEYS == 3 then
  claimed, issued = ARGV[8], ARGV[9]
else
  kind = ARGV[8]
  if has_all then claimed, issued = ARGV[11], ARGV[12] end
end

-- The rule of KeyRecord.swift. The field tells when this secret was used, and what it tells is read with the rest.
local used_field, last_used
if kind ~= '' then
  local digest, scopes = ARGV[9], ARGV[10]
  local refusal
  if kind == 'platform' then
    local stored = call('GET', KEYS[4])
    if not (stored and redis.sha1hex(stored) == digest) then
      local before = call('HMGET', 'user' .. string.sub(usage_key, #'usage' + 1) .. ':previousApiKey',
        'apiKey', 'status', 'until')
      if not before[1] or redis.sha1hex(before[1]) ~= digest then
        refusal = KEY_UNKNOWN
      elseif before[2] ~= 'active' then
        refusal = KEY_REVOKED
      elseif (before[3] or '') <= now then
        refusal = KEY_EXPIRED
      end
    end
    if not refusal and scopes ~= '' then refusal = SCOPE_MISSING end
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
    local place = plan_named(FALLBACK_PLAN)
    if has_all then return { refusal, 0, place, 0, 0, 0, 0, 0, 0 } end
    return { refusal, 0, place, 0, 0, 0 }
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
local bought = claimed == '' and call('HMGET', KEYS[3], 'plan', 'status')
  or call('HMGET', KEYS[3], 'plan', 'status', 'writtenAt', 'clerkUpdatedAt')
if not bought[1] then
  wanted = claimed ~= '' and claimed or record[3] or FALLBACK_PLAN
else
  local status, is_live = bought[2], bought[2] == 'active'
  local grace_is_over = false
  if status == 'past_due' then
    grace_is_over = (call('HMGET', KEYS[3], 'pastDueSince')[1] or '') <= ARGV[7]
    is_live = not grace_is_over
  elseif status == 'trialing' then
    is_live = true
  end
  local clerk_updated = bought[4]
  if clerk_updated and not grace_is_over and issued > clerk_updated and issued > (bought[3] or '') then
    wanted = claimed
  else
    wanted = is_live and bought[1] or FALLBACK_PLAN
  end
end

local plan, unknown = wanted, 0
local place, quota, rate = plan_named(plan)
if not place then
  plan, unknown = FALLBACK_PLAN, 1
  place, quota, rate = plan_named(plan)
end

-- Periods only go forward: around midnight a worker whose clock is a little behind must not begin the old month anew.
local used, day, period_start, period_end, is_new_period = 0, 0, ARGV[3], ARGV[4], true
if record[2] and record[2] >= period_start then
  is_new_period, used = false, tonumber(record[1]) or 0
  -- A person may have written any number there, and 'nan' is one.
  if not (used >= 0 and used <= 9007199254740992) then used = used > 0 and 9007199254740992 or 0 end
  if record[2] ~= period_start then
    local digits = string.gsub(record[2], '-', '')
    period_start, day = record[2], tonumber(digits)
  end
  period_end = record[4] or period_end
end

local cost, requests = tonumber(ARGV[1]), tonumber(call('GET', KEYS[1])) or 0
local outcome, reserved, route_requests = ADMITTED, 0, 0
local only_tells, has_idempotency_key, paid, is_answered = false, false, nil, false
local fingerprint, route_rate
if has_all then
  only_tells, fingerprint = ARGV[14] == '1', ARGV[15]
  route_rate = tonumber(ARGV[20])
  if route_rate then route_requests = tonumber(call('GET', KEYS[6])) or 0 end

  -- A repeat of what has finished without an answer that was kept is a call like the first.
  has_idempotency_key = fingerprint ~= '' and not only_tells
  if has_idempotency_key then
    local earlier = call('HMGET', KEYS[5], 'fingerprint', 'until', 'state', 'leaseUntil', 'calls', 'status')
    if earlier[2] and earlier[2] > now then
      local state = earlier[3]
      if earlier[1] ~= fingerprint then
        outcome = IDEMPOTENCY_KEY_REUSED
      elseif state == 'open' and (earlier[4] or '') > now then
        outcome = IDEMPOTENCY_KEY_IN_USE
      elseif state == 'open' or state == 'failed' then
        paid = tonumber(earlier[5]) or 0
      else
        is_answered = earlier[6]
      end
    end
  end
end

local fits = used + cost <= quota
if outcome == ADMITTED then
  if requests >= rate or route_rate and route_requests >= route_rate then
    outcome = RATE_LIMITED
  elseif is_answered then
    outcome = REPLAYED
  elseif not fits and not paid and not (has_all and ARGV[13] == '0') then
    outcome = QUOTA_EXCEEDED
  end
end

local charged = 0
local takes_place = (outcome == ADMITTED or outcome == REPLAYED) and not only_tells
if takes_place then
  requests = call('INCR', KEYS[1])
  if requests == 1 then call('EXPIRE', KEYS[1], RATE_TTL_SECONDS) end

  if fits and not paid and outcome == ADMITTED then charged = cost end
  used = used + charged
  local count = string.format('%.0f', used)
  if record[3] == plan and record[4] and not is_new_period then
    call('HSET', usage_key, 'usageCount', count, 'lastUpdated', now)
  else
    call('HSET', usage_key, 'usageCount', count, 'plan', plan, 'lastUpdated', now, 'periodStart', period_start,
      'periodEnd', period_end)
    if is_new_period then call('EXPIRE', usage_key, ARGV[6]) end
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
if not has_all then return { outcome, used, place, requests, unknown, day } end

if takes_place and route_rate then
  route_requests = call('INCR', KEYS[6])
  if route_requests == 1 then call('EXPIRE', KEYS[6], RATE_TTL_SECONDS) end
end

if takes_place and outcome == ADMITTED then
  local reservation, lease_end, name = ARGV[17], ARGV[18], ''
  if ARGV[19] == '1' then reserved = charged end

  if has_idempotency_key then
    name = string.match(KEYS[5], '{([^{}]*)}$')
    call('DEL', KEYS[5])
    call('HSET', KEYS[5], 'fingerprint', fingerprint, 'until', ARGV[16], 'calls', string.format('%.0f', paid or charged),
      'attempt', reservation, 'leaseUntil', lease_end, 'state', reservation ~= '' and 'open' or 'finished')
    call('EXPIRE', KEYS[5], CALL_TTL_SECONDS)

    local names, age = 'idempotency' .. string.sub(usage_key, #'usage' + 1), string.gsub(ARGV[16], '%D', '')
    call('ZADD', names, age, name)
    call('EXPIRE', names, CALL_TTL_SECONDS)
    local surplus = call('ZCARD', names) - tonumber(ARGV[21])
    if surplus > 0 then
      for _, oldest in ipairs(call('ZRANGE', names, 0, math.min(surplus, SWEPT_AT_ONCE) - 1)) do
        call('ZREM', names, oldest)
        call('DEL', names .. ':{' .. oldest .. '}')
      end
    end
  end

  if reserved > 0 then
    local set = 'reservations' .. string.sub(usage_key, #'usage' + 1)
    local member = reservation .. ' ' .. string.format('%.0f', reserved) .. ' ' .. period_start .. ' '
      .. string.sub(now, 1, 10) .. ' ' .. route
    if name ~= '' then member = member .. ' ' .. name end
    local score = string.gsub(lease_end, '%D', '')
    call('ZADD', set, score, member)
    call('EXPIRE', set, ARGV[6])
    if not record[5] or lease_end < record[5] then call('HSET', usage_key, 'reservedUntil', lease_end) end
  end
end
return { outcome, used, place, requests, unknown, day, reserved, paid and outcome == ADMITTED and 1 or 0,
  route_requests }
