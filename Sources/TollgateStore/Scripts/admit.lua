-- Admission: key, rate limits, plan, quota and record in one step. Checks everything, then charges everything or
-- nothing. It decides on ARGV[CALLERS] requests that are alike, as it would if it were called for one after the other:
-- of several, none has an idempotency key or a reservation, and the quota is enforced. values.lua and give_back.lua stand before it, and what AdmissionScript.swift makes: the places of keys and
-- arguments, which AdmissionCall.swift describes, the numbers of outcomes and oddities, FALLBACK_PLAN, plan_named(name),
-- which gives a plan's place in the table (from 0), quota, rate per minute, and true if its periods are those of the
-- subscription, or nothing, GOES_BY_SUBSCRIPTION, whether any plan's are, and CLOCK_TOLERANCE_SECONDS,
-- how far the worker's time may be from that of Redis, or nil = it is not to be compared. ALLOWED_IPS_BYTES is the
-- length of the longest list of addresses that a key is bound to, HISTORY_SECONDS how long the history is kept, and
-- RATE_LIMITED_CODE and the like are what refusals are called there.
--
-- What is written for good is checked against Redis' clock: a minute that begins, a period that begins, and a lease
-- that has run out are compared with Redis' own time. A worker whose time is another is told so, and nothing is written.
--
-- Whatever stands in the keys, a call that is not admitted writes nothing but when the key was used, and in the history
-- that it was refused. Values of another type are found before the first write, or the first write finds them.
--
-- Redis spends most of its time per request here. So nothing is read, written or made that this call does not need:
-- functions stand inside the branches that call them, and arguments that few calls need come in a longer form.
--
-- The keys, all of one slot. One that is not needed is KEYS[USAGE_KEY].
--
-- MINUTE_KEY ratelimit:{user}:<minute>  USAGE_KEY usage:{user}               SUBSCRIPTION_KEY subscription:{user}
-- CREDENTIAL_KEY key:{user}:{id}, or user:{user}:apiKey                      IDEMPOTENCY_KEY idempotency:{user}:{key}
-- ROUTE_MINUTE_KEY ratelimit:{user}:<route>:<minute>
--
-- The history is in usage:{user}:<ten days>, such as 2026-11-2 for what the 20th to the 29th have: '26/<route>' are the
-- calls of the 26th, and '26!<code>' those that were refused then. The platform's key that is no longer the present one is in user:{user}:previousApiKey. Both names are
-- made here: they lie in the same slot.
--
-- The forms are told apart by the number of arguments. (In a cluster one more key is declared, which never exists.)
-- TOKEN_FORM has three keys, KEY_FORM four, EVERYTHING_FORM, for everything else, all of them.
--
-- A call with an idempotency key is remembered as 'open' under the id of the attempt in progress, then as 'failed' or
-- 'finished'. Of an attempt that is open and whose lease has run out, the end is not known.
--
-- The reply is described in AdmissionScript.swift; `oddities` in it is a set of bits: the plan that is wanted is not in
-- the table; then invalid values, and what they were taken for: a count for 0, a period for the present one.

local RATE_TTL_SECONDS, CALL_TTL_SECONDS = 120, 86400
local SWEPT_AT_ONCE = 100

local KEYS, ARGV, call, try = KEYS, ARGV, redis.call, redis.pcall
local usage_key, now, route, has_all = KEYS[USAGE_KEY], ARGV[NOW], ARGV[ROUTE], #ARGV == EVERYTHING_FORM
local kind, claimed, issued = '', '', ''
if #ARGV == TOKEN_FORM then
  claimed, issued = ARGV[TOKEN_CLAIMED_PLAN], ARGV[TOKEN_ISSUED_AT]
else
  kind = ARGV[CREDENTIAL_KIND]
  if has_all then claimed, issued = ARGV[CLAIMED_PLAN], ARGV[ISSUED_AT] end
end

-- KeyRefusalModel.swift of the tests has the rule once more. The field tells when this secret was used, and what it
-- tells is read with the rest.
local used_field, last_used
if kind ~= '' then
  local digest, scopes = ARGV[DIGEST], ARGV[SCOPES]
  local refusal
  if kind == 'platform' then
    local stored = try('GET', KEYS[CREDENTIAL_KEY])
    if stored and stored.err then return tools().failure(KEYS[CREDENTIAL_KEY], stored) end
    if not (stored and redis.sha1hex(stored) == digest) then
      local previous = 'user' .. string.sub(usage_key, #'usage' + 1) .. ':previousApiKey'
      local before = try('HMGET', previous, 'apiKey', 'status', 'until')
      if before.err then return tools().failure(previous, before) end
      if not before[1] or redis.sha1hex(before[1]) ~= digest then
        refusal = KEY_UNKNOWN
      elseif before[2] ~= 'active' then
        refusal = KEY_REVOKED
      elseif (tools().moment(before[3]) or '') <= now then
        refusal = KEY_EXPIRED
      end
    end
    if not refusal and scopes ~= '' then refusal = SCOPE_MISSING end
  else
    local key = try('HMGET', KEYS[CREDENTIAL_KEY], 'hash', 'status', 'expiresAt', 'lastUsedAt', 'allowedIPs')
    if key.err then return tools().failure(KEYS[CREDENTIAL_KEY], key) end
    -- Whether one of the key's networks has the address in it. They are ranges of digits with a space between two; what
    -- stands there in another form refuses every address.
    local allows = key[5] and function(address)
      local is_in, length = false, 0
      if #key[5] > ALLOWED_IPS_BYTES then return false end
      for first, last in string.gmatch(key[5] .. ' ', '([0-9a-f]+)%-([0-9a-f]+) ') do
        if #first ~= #last or first > last or #first ~= 8 and #first ~= 32 then return false end
        is_in = is_in or #first == #address and first <= address and address <= last
        length = length + #first + #last + 2
      end
      return is_in and length == #key[5] + 1
    end
    local before = key[1] ~= digest and call('HMGET', KEYS[CREDENTIAL_KEY], 'previousHash', 'previousUntil', 'previousUsedAt')
    if before and before[1] ~= digest then
      refusal = KEY_UNKNOWN
    elseif key[2] ~= 'active' then
      refusal = KEY_REVOKED
    elseif key[3] and (key[3] <= now or not tools().moment(key[3])) or before and (tools().moment(before[2]) or '') <= now then
      refusal = KEY_EXPIRED
    elseif allows and ARGV[CLIENT_ADDRESS] == '*' then
      return { ADDRESSES_DIFFER }
    elseif allows and not allows(ARGV[CLIENT_ADDRESS]) then
      refusal = ADDRESS_NOT_ALLOWED
    elseif scopes ~= '' then
      local granted = ' ' .. (call('HGET', KEYS[CREDENTIAL_KEY], 'scopes') or '') .. ' '
      -- Most often they stand there as they are asked for.
      if not string.find(granted, ' ' .. scopes .. ' ', 1, true) and not string.find(granted, ' * ', 1, true) then
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
    if refusal == KEY_EXPIRED and tools().clock_differs(KEYS[MINUTE_KEY], now, CLOCK_TOLERANCE_SECONDS) then
      refusal = CLOCK_DIFFERS
    end
    local code = refusal == SCOPE_MISSING and SCOPE_MISSING_CODE or refusal == ADDRESS_NOT_ALLOWED and ADDRESS_NOT_ALLOWED_CODE
    if code and not (has_all and ARGV[ONLY_TELLS] == '1') and type(try('HGET', usage_key, 'periodStart')) == 'string' then
      tools().count_refusal(usage_key, now, code, ARGV[CALLERS], HISTORY_SECONDS)
    end
    return { refusal }
  end
end

local record = try('HMGET', usage_key, 'usageCount', 'periodStart', 'plan', 'periodEnd', 'reservedUntil',
  'lastUpdated')
if record.err then return tools().failure(usage_key, record) end

local has_more_to_sweep = false
-- Gives back the reservations whose lease has run out: their workers died. The usage record tells when to look.
-- What begins with no digit is no moment, and lies behind ':'.
if record[5] and (record[5] <= now or record[5] > ':') then
  if tools().clock_differs(KEYS[MINUTE_KEY], now, CLOCK_TOLERANCE_SECONDS) then return { CLOCK_DIFFERS } end
  local set = 'reservations' .. string.sub(usage_key, #'usage' + 1)
  local score = string.gsub(now, '%D', '')
  local members = try('ZRANGEBYSCORE', set, '-inf', score, 'LIMIT', 0, SWEPT_AT_ONCE)
  if members.err then return tools().failure(set, members) end
  for _, member in ipairs(members) do
    call('ZREM', set, member)
    give_back(usage_key, member)
  end
  local first = call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
  if first then
    local moment = string.gsub(
      string.format('%.0f', first), '^(%d%d%d%d)(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)$', '%1-%2-%3T%4:%5:%6Z')
    call('HSET', usage_key, 'reservedUntil', moment)
    has_more_to_sweep = moment <= now
  else
    call('HDEL', usage_key, 'reservedUntil')
  end
  record = call('HMGET', usage_key, 'usageCount', 'periodStart', 'plan', 'periodEnd', 'reservedUntil', 'lastUpdated')
end

-- The rule of PlanResolution.swift, whose comments say why. Moments are compared as strings. What of the subscription
-- is to be outweighed by a claim is read only when there is one.
local wanted
local bought = GOES_BY_SUBSCRIPTION and try('HMGET', KEYS[SUBSCRIPTION_KEY], 'plan', 'status', 'writtenAt',
    'clerkUpdatedAt', 'periodStart', 'periodEnd', 'periodAnchor', 'operator')
  or claimed == '' and try('HMGET', KEYS[SUBSCRIPTION_KEY], 'plan', 'status', 'operator')
  or try('HMGET', KEYS[SUBSCRIPTION_KEY], 'plan', 'status', 'writtenAt', 'clerkUpdatedAt', 'operator')
if bought.err then return tools().failure(KEYS[SUBSCRIPTION_KEY], bought) end
-- What operators have decided. Few users have any of it.
local terms = bought[#bought]
if terms then
  terms = tools().operator_terms(terms, now)
  -- An operator who asks is told the rest as well.
  if terms.block and not (has_all and ARGV[ONLY_TELLS] == '1') then
    if record[2] then tools().count_refusal(usage_key, now, USER_BLOCKED_CODE, ARGV[CALLERS], HISTORY_SECONDS) end
    return { USER_BLOCKED, terms.block }
  end
end
-- What the subscription is paid for, if that counts.
local paid_from, paid_until, anchor
if not bought[1] then
  wanted = claimed ~= '' and claimed or record[3] or FALLBACK_PLAN
else
  local status, is_live = bought[2], bought[2] == 'active'
  local grace_is_over, after_grace = false, nil
  if status == 'past_due' then
    local owed = call('HMGET', KEYS[SUBSCRIPTION_KEY], 'pastDueSince', 'planAfterGrace', 'periodStartAfterGrace',
      'periodEndAfterGrace', 'periodAnchorAfterGrace')
    grace_is_over, after_grace = (tools().moment(owed[1]) or '') <= ARGV[GRACE_START], owed[2]
    is_live = not grace_is_over
    if grace_is_over then bought[5], bought[6], bought[7] = owed[3], owed[4], owed[5] end
  elseif status == 'trialing' then
    is_live = true
  end
  -- A renewal that is late begins nothing: what is over goes on for the grace.
  if bought[6] and (is_live and status == 'past_due' or (is_live or grace_is_over) and bought[6] > ARGV[GRACE_START]) then
    paid_from, paid_until, anchor = bought[5], bought[6], bought[7]
  end
  local clerk_updated = bought[4]
  if claimed ~= '' and clerk_updated and not grace_is_over and issued > clerk_updated and issued > (tools().moment(bought[3]) or '')
    and tools().moment(clerk_updated) then
    wanted = claimed
  else
    wanted = is_live and bought[1] or grace_is_over and after_grace or FALLBACK_PLAN
  end
end

-- A plan that this worker does not have decides nothing and stays on record: others may have it.
local odd, plan = 0, wanted
local place, quota, rate, goes_by_subscription = plan_named(plan)
if not place then
  odd, plan = PLAN_UNKNOWN, record[3]
  place, quota, rate, goes_by_subscription = plan_named(FALLBACK_PLAN)
end
-- The plan that stays on record is not that of operators: with their decision it ends.
if terms and terms.plan and plan_named(terms.plan) then
  odd = 0
  place, quota, rate, goes_by_subscription = plan_named(terms.plan)
end

-- The rule of BillingPeriod(of:_:at:) in SubscriptionPeriod.swift.
local period_start, period_end, is_of_subscription = ARGV[PERIOD_START], ARGV[PERIOD_END], false
if goes_by_subscription and paid_from then
  if not anchor and record[2] == paid_from and record[4] == paid_until then
    -- As it was written the last time.
    period_start, period_end, is_of_subscription = paid_from, paid_until, true
  else
    local first, last = tools().quota_period(paid_from, paid_until, anchor, now)
    if first then period_start, period_end, is_of_subscription = first, last, true end
  end
end

local granted = 0
if terms then
  granted = math.min(tools().granted(terms.text, period_start, now), MAXIMUM_LIMIT)
  quota = math.min((terms.quota or quota) + granted, MAXIMUM_LIMIT)
  rate = math.min(terms.rate or rate, MAXIMUM_LIMIT)
end

-- Less than 0 is a credit: so many calls come on top of the quota.
local used = whole_number(record[1])
if not used then
  if record[1] then odd = odd + ODD_COUNT end
  used = 0
end

-- The period counted in is the present one, or a later month that has begun for another worker or by an operator's hand. The
-- count of the period before stays in the record, and so a clock that leads into another month and back makes no
-- second quota. So do those of other periods that may come back, as when plans are changed back and forth.
--
-- What of a period that lies ahead was counted together with this one is told to give_back.lua.
local changes_period, before_start, before_used, taken_over, others = true, nil, nil, nil, nil
-- What is told of the period, as numbers.
local told_start, told_end = 0, 0
if record[2] == period_start then
  changes_period = false
  if not is_of_subscription then period_end = record[4] or period_end end
elseif record[2] and not tools().is_period(record[2]) then
  odd = odd + ODD_PERIOD
elseif record[2] and not is_of_subscription and #record[2] == 10 and record[2] > period_start
  and (record[2] <= string.sub(now, 1, 10) or now >= period_end .. 'T23:55:00Z') then
  changes_period, period_start, period_end = false, record[2], record[4] or period_end
  local digits = string.gsub(period_start, '-', '')
  told_start = tonumber(digits)
elseif record[2] then
  if tools().clock_differs(KEYS[MINUTE_KEY], now, CLOCK_TOLERANCE_SECONDS) then return { CLOCK_DIFFERS } end
  local before = call('HMGET', usage_key, 'previousPeriodStart', 'previousUsageCount', 'otherPeriods')
  local counted, rest
  if before[3] and before[1] ~= period_start then counted, rest = tools().take_period(before[3], period_start) end
  if before[1] == period_start then
    before_start, before_used, used = record[2], used, whole_number(before[2]) or 0
  elseif not counted and not is_of_subscription and #record[2] == 10 and record[2] > period_start then
    -- It lies ahead.
    odd, taken_over = odd + ODD_PERIOD, record[2]
  else
    before_start, before_used, used = record[2], used, counted or 0
    rest = before[1] and tools().keep_period(rest or '', before[1], before[2], ARGV[PERIOD_START]) or rest or ''
    if rest ~= (before[3] or '') then others = rest end
  end
end
if is_of_subscription then
  local from, till = string.gsub(period_start, '%D', ''), string.gsub(period_end, '%D', '')
  told_start, told_end = tonumber(from), tonumber(till)
end

local cost, minute = tonumber(ARGV[COST]), try('GET', KEYS[MINUTE_KEY])
if minute and minute.err then return tools().failure(KEYS[MINUTE_KEY], minute) end
local requests, begins_anew, route_begins_anew = whole_number(minute), false, false
if not requests then
  if minute then odd, begins_anew = odd + ODD_MINUTE, true end
  requests = 0
end
local outcome, reserved, route_requests = ADMITTED, 0, 0
local only_tells, has_idempotency_key, paid, is_answered = false, false, nil, false
local fingerprint, route_rate, route_minute
if has_all then
  only_tells, fingerprint = ARGV[ONLY_TELLS] == '1', ARGV[FINGERPRINT]
  route_rate = tonumber(ARGV[ROUTE_RATE])
  if route_rate then
    route_minute = try('GET', KEYS[ROUTE_MINUTE_KEY])
    if route_minute and route_minute.err then return tools().failure(KEYS[ROUTE_MINUTE_KEY], route_minute) end
    route_requests = whole_number(route_minute)
    if not route_requests then
      if route_minute then odd, route_begins_anew = odd + ODD_ROUTE_MINUTE, true end
      route_requests = 0
    end
  end

  -- A repeat of what has finished without an answer that was kept is a call like the first.
  has_idempotency_key = fingerprint ~= '' and not only_tells
  if has_idempotency_key then
    local earlier = try('HMGET', KEYS[IDEMPOTENCY_KEY], 'fingerprint', 'until', 'state', 'leaseUntil', 'calls', 'status')
    if earlier.err then return tools().failure(KEYS[IDEMPOTENCY_KEY], earlier) end
    if (tools().moment(earlier[2]) or '') > now then
      local state = earlier[3]
      if earlier[1] ~= fingerprint then
        outcome = IDEMPOTENCY_KEY_REUSED
      elseif state == 'open' and (has_more_to_sweep or (tools().moment(earlier[4]) or '') > now) then
        -- What it has reserved may be among what is yet to be given back: then it is not paid for.
        outcome = IDEMPOTENCY_KEY_IN_USE
      elseif state == 'open' or state == 'failed' then
        paid = whole_number(earlier[5]) or 0
      else
        -- One that is damaged is no answer.
        is_answered = earlier[6] and string.find(earlier[6], '^[2-5]%d%d$')
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
  elseif not fits and not paid and not (has_all and ARGV[ENFORCES_QUOTA] == '0') then
    outcome = QUOTA_EXCEEDED
  end
end

local charged, admitted = 0, 0
local takes_place = (outcome == ADMITTED or outcome == REPLAYED) and not only_tells
-- What the requests are told for which nothing is left.
local last_outcome = outcome
if takes_place then
  admitted = 1
  if ARGV[CALLERS] ~= '1' then
    local callers = tonumber(ARGV[CALLERS])
    -- A spelling that INCR takes for no number begins anew with the first of them.
    if minute and string.format('%.0f', requests) ~= minute then requests = 0 end
    if route_minute and string.format('%.0f', route_requests) ~= route_minute then route_requests = 0 end
    admitted = math.min(callers, rate - requests, route_rate and route_rate - route_requests or callers)
    last_outcome = admitted < callers and RATE_LIMITED or ADMITTED
    if cost > 0 and used + admitted * cost > quota then
      admitted, last_outcome = math.floor((quota - used) / cost), QUOTA_EXCEEDED
    end
  end
end
-- Of this user's calls. Most follow another of the same second, and Lua compares whole strings by their place.
local is_first_of_minute, is_first_of_day = false, false
if record[6] ~= now then
  local before = record[6] or ''
  is_first_of_minute = string.sub(before, 1, 16) ~= string.sub(now, 1, 16)
  is_first_of_day = is_first_of_minute and string.sub(before, 1, 10) ~= string.sub(now, 1, 10)
end
if takes_place then
  if is_first_of_day then odd = odd + FIRST_OF_DAY end
  if not minute and CLOCK_TOLERANCE_SECONDS and tools().clock_differs(KEYS[MINUTE_KEY], now, CLOCK_TOLERANCE_SECONDS) then
    return { CLOCK_DIFFERS }
  end
  if fits and not paid and outcome == ADMITTED then charged = cost * admitted end
  if has_all and outcome == ADMITTED then
    if ARGV[GIVES_BACK] == '1' then reserved = charged end
    local rest = string.sub(usage_key, #'usage' + 1)
    local is_needed = { ['reservations' .. rest] = reserved > 0, ['idempotency' .. rest] = has_idempotency_key }
    for set, is_needed in pairs(is_needed) do
      local size = is_needed and try('ZCARD', set)
      if type(size) == 'table' then return tools().failure(set, size) end
    end
  end

  -- The first write. Of the keys that follow it is known by now that they are of our types.
  if charged > 0 then
    local days_key, field = usage_key .. ':' .. string.sub(now, 1, 9), string.sub(now, 9, 10) .. '/' .. route
    local booked = try('HINCRBY', days_key, field, charged)
    if type(booked) == 'table' then
      if not tools().is_of_number(booked) then return tools().failure(days_key, booked) end
      call('HSET', days_key, field, charged)
      odd = odd + ODD_DAY
    end
    if booked == charged or is_first_of_day then call('EXPIRE', days_key, HISTORY_SECONDS) end
  end

  requests = try('INCR', KEYS[MINUTE_KEY])
  if begins_anew or type(requests) == 'table' then
    if type(requests) == 'table' and not tools().is_of_number(requests) then return requests end
    call('SET', KEYS[MINUTE_KEY], 1, 'EX', RATE_TTL_SECONDS)
    requests = 1
    if not begins_anew then odd = odd + ODD_MINUTE end
  elseif requests <= 1 or is_first_of_minute then
    -- Another client of Redis may have made the counter.
    call('EXPIRE', KEYS[MINUTE_KEY], RATE_TTL_SECONDS)
  end
  if admitted > 1 then
    requests = requests + admitted - 1
    call('SET', KEYS[MINUTE_KEY], requests, 'KEEPTTL')
  end

  used = used + charged
  if record[3] == plan and record[4] and not changes_period and not is_first_of_day
    and (not is_of_subscription or record[4] == period_end) then
    if record[6] == now then
      call('HSET', usage_key, 'usageCount', used)
    else
      call('HSET', usage_key, 'usageCount', used, 'lastUpdated', now)
    end
  else
    -- In the order in which people read it.
    if plan then call('HSET', usage_key, 'usageCount', used, 'plan', plan) end
    if not is_of_subscription and not tools().moment(period_end .. 'T00:00:00Z') then period_end = ARGV[PERIOD_END] end
    call('HSET', usage_key, 'usageCount', used, 'lastUpdated', now, 'periodStart', period_start, 'periodEnd',
      period_end)
    if before_start then
      call('HSET', usage_key, 'previousPeriodStart', before_start, 'previousUsageCount',
        string.format('%.0f', before_used))
    end
    if others == '' then
      call('HDEL', usage_key, 'otherPeriods')
    elseif others then
      call('HSET', usage_key, 'otherPeriods', others)
    end
    if taken_over then
      call('HSET', usage_key, 'takenOverPeriodStart', taken_over)
    elseif changes_period then
      call('HDEL', usage_key, 'takenOverPeriodStart')
    end
    call('EXPIRE', usage_key, ARGV[RECORD_SECONDS])
  end
end

-- What limits refuse is counted, as a block and what a key may not do are above.
if last_outcome ~= ADMITTED and (takes_place or record[2]) and not only_tells then
  local code = last_outcome == RATE_LIMITED and RATE_LIMITED_CODE or last_outcome == QUOTA_EXCEEDED and QUOTA_EXCEEDED_CODE
  if code then tools().count_refusal(usage_key, now, code, ARGV[CALLERS] - admitted, HISTORY_SECONDS) end
end

-- That limits refuse a call makes its key no less used. To the minute, for a write with every call would be a
-- write that has no reader.
if used_field and last_used ~= now and not only_tells
  and string.sub(last_used or '', 1, 16) ~= string.sub(now, 1, 16) then
  call('HSET', KEYS[CREDENTIAL_KEY], used_field, now)
end
if not has_all then
  if terms then
    return { last_outcome, used, place, requests, odd, told_start, told_end, admitted, quota, granted, rate }
  end
  return { last_outcome, used, place, requests, odd, told_start, told_end, admitted }
end

if takes_place and route_rate then
  route_requests = try('INCR', KEYS[ROUTE_MINUTE_KEY])
  if route_begins_anew or type(route_requests) == 'table' then
    call('SET', KEYS[ROUTE_MINUTE_KEY], 1, 'EX', RATE_TTL_SECONDS)
    route_requests = 1
    if not route_begins_anew then odd = odd + ODD_ROUTE_MINUTE end
  elseif route_requests <= 1 or is_first_of_minute then
    call('EXPIRE', KEYS[ROUTE_MINUTE_KEY], RATE_TTL_SECONDS)
  end
  if admitted > 1 then
    route_requests = route_requests + admitted - 1
    call('SET', KEYS[ROUTE_MINUTE_KEY], route_requests, 'KEEPTTL')
  end
end

local member = ''
if takes_place and outcome == ADMITTED then
  local reservation, lease_end, name = ARGV[RESERVATION], ARGV[LEASE_END], ''

  if has_idempotency_key then
    name = string.match(KEYS[IDEMPOTENCY_KEY], '{([^{}]*)}$')
    call('DEL', KEYS[IDEMPOTENCY_KEY])
    call('HSET', KEYS[IDEMPOTENCY_KEY], 'fingerprint', fingerprint, 'until', ARGV[REMEMBERED_UNTIL],
      'calls', string.format('%.0f', paid or charged), 'attempt', reservation, 'leaseUntil', lease_end, 'state', reservation ~= '' and 'open' or 'finished')
    call('EXPIRE', KEYS[IDEMPOTENCY_KEY], CALL_TTL_SECONDS)

    local names, age = 'idempotency' .. string.sub(usage_key, #'usage' + 1), string.gsub(ARGV[REMEMBERED_UNTIL], '%D', '')
    call('ZADD', names, age, name)
    call('EXPIRE', names, CALL_TTL_SECONDS)
    local surplus = call('ZCARD', names) - tonumber(ARGV[REMEMBERED_CALLS])
    if surplus > 0 then
      for _, oldest in ipairs(call('ZRANGE', names, 0, math.min(surplus, SWEPT_AT_ONCE) - 1)) do
        call('ZREM', names, oldest)
        call('DEL', names .. ':{' .. oldest .. '}')
      end
    end
  end

  if reserved > 0 then
    local set = 'reservations' .. string.sub(usage_key, #'usage' + 1)
    member = reservation .. ' ' .. string.format('%.0f', reserved) .. ' ' .. period_start .. ' '
      .. string.sub(now, 1, 9) .. ' ' .. string.sub(now, 9, 10) .. '/' .. route
    if name ~= '' then member = member .. ' ' .. name end
    local score = string.gsub(lease_end, '%D', '')
    call('ZADD', set, score, member)
    call('EXPIRE', set, ARGV[RECORD_SECONDS])
    if not record[5] or lease_end < record[5] then call('HSET', usage_key, 'reservedUntil', lease_end) end
  end
end
if terms then
  if terms.block then last_outcome, member = USER_BLOCKED, terms.block end
  return { last_outcome, used, place, requests, odd, told_start, told_end, admitted, reserved,
    paid and outcome == ADMITTED and 1 or 0, route_requests, quota, granted, rate, member }
end
return { last_outcome, used, place, requests, odd, told_start, told_end, admitted, reserved,
  paid and outcome == ADMITTED and 1 or 0, route_requests, member }
