-- Giving calls back: what admit.lua and settle_reservation.lua have in common. values.lua stands before it.
--
-- A reservation is a member of reservations:{user}: '<id> <calls> <period> <days> <field>', and for an
-- attempt at a call with an idempotency key ' <key>' behind it; its score is the moment when the lease ends
-- (YYYYMMDDhhmmss). The field of usage:{user}:<days> is where the calls are booked: '26/<route>' of '2026-11-2', or, as
-- the release before wrote it, '<route>' of '2026-11-26'. Workers get it from admit.lua and hand it back as it is. The
-- names of the other keys are made from that of usage:{user}: which ones are needed shows only here, and all of one user's
-- keys lie in one slot.

-- Gives back what a reservation holds, after it was taken out of the set. A call with an idempotency key that was given
-- back is forgotten: a repeat is the first call under its key.
--
-- Values of another type, and counts that are no numbers, stay as they are: there is nothing in them to be corrected.
--
-- One function, for every admission makes it anew and hardly any calls it.
local function give_back(usage_key, member)
  local attempt, calls, period, days, field, name = string.match(member, '^(%S+) (%d+) (%S+) (%S+) (%S+) ?(%S*)$')
  if not attempt then return end
  if name ~= '' then
    local names = 'idempotency' .. string.sub(usage_key, #'usage' + 1)
    local call_key = names .. ':{' .. name .. '}'
    if redis.pcall('HGET', call_key, 'attempt') == attempt then
      redis.call('DEL', call_key)
      redis.pcall('ZREM', names, name)
    end
  end

  -- The day goes the way of the period, and may be forgotten by now.
  local days_key = usage_key .. ':' .. days
  local booked = whole_number(redis.pcall('HGET', days_key, field)) or 0
  if booked > 0 then redis.pcall('HINCRBY', days_key, field, -math.min(booked, tonumber(calls))) end

  -- The period that the calls were charged in may be another than the present one: then its count stands beside it.
  -- An invalid period is taken for the present one by the next admission, with its count.
  local record = redis.pcall('HMGET', usage_key, 'usageCount', 'periodStart', 'previousUsageCount',
    'previousPeriodStart', 'takenOverPeriodStart', 'otherPeriods')
  if record.err then return end
  local field, count, present = 'usageCount', record[1], record[2]
  if present == period or record[5] == period or present and not tools().is_period(present) then
    count = record[1]
  elseif record[4] == period then
    field, count = 'previousUsageCount', record[3]
  else
    local counted, others = tools().take_period(record[6], period)
    if counted then
      redis.call('HSET', usage_key, 'otherPeriods', tools().keep_period(others, period, counted - calls, period))
    end
    return
  end
  count = whole_number(count)
  if count then redis.call('HSET', usage_key, field, string.format('%.0f', count - tonumber(calls))) end
end
