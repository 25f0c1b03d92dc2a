-- Giving calls back: what admit.lua and settle_reservation.lua have in common. Stands at the beginning of both.
--
-- A reservation is a member of reservations:{user}: '<id> <calls> <first day of the period> <day> <route>', or, for an
-- attempt at a call that may be repeated, '<id> <idempotency key>'; its score is the moment when the lease ends
-- (YYYYMMDDhhmmss). The names of the other keys are made from that of usage:{user}: which ones are needed shows only
-- here, and all of one user's keys lie in one slot.

-- Gives back what a reservation holds, after it was taken out of the set. The attempts at one call share a charge,
-- which goes back with the last of them; a later repeat is a new call then.
--
-- One function, for every admission makes it anew and hardly any calls it.
local function give_back(usage_key, member)
  local calls, period, day, route = string.match(member, '^%S+ (%d+) (%S+) (%S+) (%S+)$')
  if not calls then
    local name = string.match(member, '^%S+ (%S+)$') or ''
    local call_key = 'idempotency' .. string.sub(usage_key, #'usage' + 1) .. ':{' .. name .. '}'
    local state, shared, since, on, under = unpack(
      redis.call('HMGET', call_key, 'state', 'calls', 'periodStart', 'day', 'route'))
    if not state then return end
    local open = redis.call('HINCRBY', call_key, 'open', -1)
    if state ~= 'open' or open > 0 then return end
    redis.call('DEL', call_key)
    calls, period, day, route = shared, since, on, under
  end

  -- The day goes the way of the month, and may be forgotten by now.
  local day_key = usage_key .. ':' .. (day or '')
  local booked = tonumber(redis.call('HGET', day_key, route or '')) or 0
  if booked > 0 then redis.call('HINCRBY', day_key, route, -math.min(booked, tonumber(calls) or 0)) end

  -- Calls of a period that is over went with it.
  local used, current = unpack(redis.call('HMGET', usage_key, 'usageCount', 'periodStart'))
  if current ~= period then return end
  local left = math.max(0, (tonumber(used) or 0) - (tonumber(calls) or 0))
  redis.call('HSET', usage_key, 'usageCount', string.format('%.0f', left))
end
