-- Puts alerts into the outbox, each that is not known there.
--
-- ENTRIES_KEY alerts:{channel}  DUE_KEY alerts:{channel}:due  DELIVERED_KEY alerts:{channel}:delivered
-- Names are those of EnqueueAlertsSignature. REST is where the alerts are: the id and the entry of each.
--
-- Reply, all integers: the outcome, how many were new. With FULL those behind them were not taken.

-- Room that is made for one alert: of those that are delivered, which are kept only to know them.
local function make_room()
  local oldest = redis.call('ZRANGE', KEYS[DELIVERED_KEY], 0, 0)[1]
  if not oldest then return false end
  redis.call('ZREM', KEYS[DELIVERED_KEY], oldest)
  redis.call('HDEL', KEYS[ENTRIES_KEY], oldest)
  return true
end

local new = 0
for place = REST, #ARGV, 2 do
  local id = ARGV[place]
  if not redis.call('HGET', KEYS[ENTRIES_KEY], id) then
    if redis.call('HLEN', KEYS[ENTRIES_KEY]) >= tonumber(ARGV[MAXIMUM_COUNT]) and not make_room() then
      return { FULL, new }
    end
    redis.call('HSET', KEYS[ENTRIES_KEY], id, ARGV[place + 1])
    redis.call('ZADD', KEYS[DUE_KEY], ARGV[NOW], id)
    new = new + 1
  end
end
return { TAKEN, new }
