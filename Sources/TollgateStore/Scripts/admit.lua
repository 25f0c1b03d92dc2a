-- Admission: key, rate limit, plan, quota and record in one step. Checks everything, then charges everything or
-- nothing. give_back.lua stands before it.
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
-- With more than a session token to look at, two keys and nine arguments follow. A key that is not needed is KEYS[2].
-- KEYS[4] key:{user}:{id}, or user:{user}:apiKey
-- KEYS[5] idempotency:{user}:{key}
-- 1 what KEYS[4] is: key, platform, or '' 2 SHA-256 of the presented key; of a platform's key the SHA-1
-- 3 scopes that are needed, with spaces between them, or ''
-- 4 1 = only tell what would be decided
-- 5 fingerprint of the request, or '' when it may not be repeated            6 how long it is remembered (ISO 8601)
-- 7 id of the reservation, or ''                                             8 when its lease ends (ISO 8601)
-- 9 repeats of a call that cost nothing
--
-- Reply, all integers: outcome (1 admitted, 2 rate limited, 3 quota exceeded, 4 key unknown, 5 key revoked, 6 key
-- expired, 7 scope missing, 8 idempotency key reused), usage count, place of the plan in the table (from 0), requests
-- in this minute, 1 if the wanted plan is not in the table, first day of the period counted in (YYYYMMDD). With more
-- than a token: calls that are reserved, 1 if this repeats a call. Of a key that is not let in, nothing is told.

local FALLBACK, PLAN_TABLE, EXTRAS = 10, 11, 9
local ADMITTED, RATE_LIMITED, QUOTA_EXCEEDED = 1, 2, 3
local KEY_UNKNOWN, KEY_REVOKED, KEY_EXPIRED, SCOPE_MISSING, IDEMPOTENCY_KEY_REUSED = 4, 5, 6, 7, 8
local RATE_TTL_SECONDS, CALL_TTL_SECONDS = 120, 86400
local SWEPT_AT_ONCE = 100

local cost, now = tonumber(ARGV[1]), ARGV[5]
local period_start, period_end = ARGV[3], ARGV[4]
local has_extras = #KEYS > 3
local plans_end = has_extras and #ARGV - EXTRAS or #ARGV
local kind, digest, scopes, only_tell, fingerprint, remembered_until, reservation, lease_end, free_repeats
if has_extras then
  kind, digest, scopes, only_tell, fingerprint, remembered_until, reservation, lease_end, free_repeats =
    unpack(ARGV, plans_end + 1)
end

local function place_of(name)
  for i = PLAN_TABLE, plans_end, 3 do
    if ARGV[i] == name then return i end
  end
end

-- The rule of KeyRecord.swift. Returns the refusal, or nil; then the field that tells when this secret was used, and
-- what it tells.
local function refusal_of_key()
  if kind == 'platform' then
    local stored = redis.call('GET', KEYS[4])
    return not (stored and redis.sha1hex(stored) == digest) and KEY_UNKNOWN or nil
  end
  local hash, status, expires, granted, used, before, before_until, before_used = unpack(redis.call('HMGET', KEYS[4],
    'hash', 'status', 'expiresAt', 'scopes', 'lastUsedAt', 'previousHash', 'previousUntil', 'previousUsedAt'))
  local is_current = hash == digest
  if not is_current and before ~= digest then return KEY_UNKNOWN end
  if status ~= 'active' then return KEY_REVOKED end
  if expires and expires <= now or not is_current and (before_until or '') <= now then return KEY_EXPIRED end

  local spaced = ' ' .. (granted or '') .. ' '
  if not string.find(spaced, ' * ', 1, true) then
    for scope in string.gmatch(scopes, '%S+') do
      if not string.find(spaced, ' ' .. scope .. ' ', 1, true) then return SCOPE_MISSING end
    end
  end
  if is_current then return nil, 'lastUsedAt', used end
  return nil, 'previousUsedAt', before_used
end

local used_field, last_used
if has_extras and kind ~= '' then
  local refusal
  refusal, used_field, last_used = refusal_of_key()
  if refusal then
    local day = string.gsub(period_start, '-', '')
    return { refusal, 0, (place_of(ARGV[FALLBACK]) - PLAN_TABLE) / 3, 0, 0, tonumber(day), 0, 0 }
  end
end

local function read_record()
  return redis.call('HMGET', KEYS[2], 'usageCount', 'periodStart', 'plan', 'periodEnd', 'reservedUntil')
end

local function score_of(moment)
  local digits = string.gsub(moment, '%D', '')
  return digits
end

-- Gives back the reservations whose lease has run out: their workers died. The usage record tells when to look.
local function sweep()
  local set = 'reservations' .. string.sub(KEYS[2], #'usage' + 1)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', score_of(now), 'LIMIT', 0, SWEPT_AT_ONCE)) do
    redis.call('ZREM', set, member)
    give_back(KEYS[2], member)
  end
  local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
  if not first then return redis.call('HDEL', KEYS[2], 'reservedUntil') end
  local year, month, day, hour, minute, second = string.match(
    string.format('%.0f', first), '^(%d%d%d%d)(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)$')
  local moment = year .. '-' .. month .. '-' .. day .. 'T' .. hour .. ':' .. minute .. ':' .. second .. 'Z'
  redis.call('HSET', KEYS[2], 'reservedUntil', moment)
end

local record = read_record()
if record[5] and record[5] <= now then
  sweep()
  record = read_record()
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
local reserved, repeats, earlier_state, earlier_calls = 0, nil, nil, nil

local function reply(outcome)
  local day = string.gsub(period_start, '-', '')
  local numbers = { outcome, used, (place - PLAN_TABLE) / 3, requests, unknown, tonumber(day) }
  if has_extras then
    numbers[7] = reserved
    numbers[8] = outcome == ADMITTED and repeats and 1 or 0
  end
  return numbers
end

-- A call that was repeated often enough, and one that is remembered no more, is an ordinary one.
local may_repeat = has_extras and fingerprint ~= '' and only_tell ~= '1'
if may_repeat then
  local earlier = redis.call('HMGET', KEYS[5], 'fingerprint', 'until', 'repeats', 'state', 'calls')
  if earlier[2] and earlier[2] > now then
    if earlier[1] ~= fingerprint then return reply(IDEMPOTENCY_KEY_REUSED) end
    if (tonumber(earlier[3]) or 0) < tonumber(free_repeats) then
      repeats, earlier_state, earlier_calls = earlier[3], earlier[4], tonumber(earlier[5]) or 0
    else
      may_repeat = false
    end
  end
end

if requests >= rate then return reply(RATE_LIMITED) end

local fits = used + cost <= quota
if not fits and ARGV[2] == '1' and not repeats then return reply(QUOTA_EXCEEDED) end
if only_tell == '1' then return reply(ADMITTED) end

requests = redis.call('INCR', KEYS[1])
if requests == 1 then redis.call('EXPIRE', KEYS[1], RATE_TTL_SECONDS) end

local charged = fits and not repeats and cost or 0
used = used + charged
redis.call('HSET', KEYS[2], 'usageCount', string.format('%.0f', used), 'plan', plan, 'lastUpdated', now,
  'periodStart', period_start, 'periodEnd', period_end)
if is_new_period then redis.call('EXPIRE', KEYS[2], ARGV[6]) end
if not has_extras then return reply(ADMITTED) end

-- To the minute, for a write with every call would be one that nobody reads.
if used_field and string.sub(last_used or '', 1, 16) ~= string.sub(now, 1, 16) then
  redis.call('HSET', KEYS[4], used_field, now)
end

-- What there is to give back: the charge of this call, or of the earlier one whose outcome is still open.
if reservation ~= '' then
  if not repeats then reserved = charged elseif earlier_state == 'open' then reserved = earlier_calls end
end

if repeats then
  redis.call('HINCRBY', KEYS[5], 'repeats', 1)
  if reserved > 0 then redis.call('HINCRBY', KEYS[5], 'open', 1) end
elseif may_repeat then
  redis.call('DEL', KEYS[5])
  redis.call('HSET', KEYS[5], 'fingerprint', fingerprint, 'until', remembered_until, 'repeats', 0, 'calls', charged,
    'periodStart', period_start, 'state', reserved > 0 and 'open' or 'kept', 'open', reserved > 0 and 1 or 0)
  redis.call('EXPIRE', KEYS[5], CALL_TTL_SECONDS)
end

if reserved > 0 then
  local set = 'reservations' .. string.sub(KEYS[2], #'usage' + 1)
  local member = reservation .. ' ' .. string.format('%.0f', reserved) .. ' ' .. period_start
  if may_repeat then member = reservation .. ' ' .. string.match(KEYS[5], '{([^{}]*)}$') end
  redis.call('ZADD', set, score_of(lease_end), member)
  redis.call('EXPIRE', set, ARGV[6])
  if not record[5] or lease_end < record[5] then redis.call('HSET', KEYS[2], 'reservedUntil', lease_end) end
end
return reply(ADMITTED)
