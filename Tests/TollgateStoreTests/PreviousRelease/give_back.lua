-- Giving calls back: what admit.lua and settle_reservation.lua have in common. Stands at the beginning of both.
--
-- A reservation is a member of reservations:{user}: '<id> <calls> <first day of the period> <day> <route>', and for an
-- attempt at a call with an idempotency key ' <key>' behind it; its score is the moment when the lease ends
-- (YYYYMMDDhhmmss). The names of the other keys are made from that of usage:{user}: which ones are needed shows only
-- here, and all of one user's keys lie in one slot.

-- Gives back what a reservation holds, after it was taken out of the set. A call with an idempotency key that was given
-- back is forgotten: a repeat is the first call under its key.
--
-- One function, for every admission makes it anew and hardly any calls it.
local function give_back(usage_key, member)
  local attempt, calls, period, day, route, name = string.match(member, '^(%S+) (%d+) (%S+) (%S+) (%S+) ?(%S*)$')
  if not attempt then return end
  if name ~= '' then
    local names = 'idempotency' .. string.sub(usage_key, #'usage' + 1)
    local call_key = names .. ':{' .. name .. '}'
    if redis.call('HGET', call_key, 'attempt') == attempt then
      redis.call('DEL', call_key)
      redis.call('ZREM', names, name)
    end
  end

  -- The day goes the way of the month, and may be forgotten by now.
  local day_key = usage_key .. ':' .. day
  local booked = tonumber(redis.call('HGET', day_key, route)) or 0
  if booked > 0 then redis.call('HINCRBY', day_key, route, -math.min(booked, tonumber(calls))) end

  -- Calls of a period that is over went with it.
  local used, current = unpack(redis.call('HMGET', usage_key, 'usageCount', 'periodStart'))
  if current ~= period then return end
  local left = math.max(0, (tonumber(used) or 0) - tonumber(calls))
  redis.call('HSET', usage_key, 'usageCount', string.format('%.0f', left))
end
