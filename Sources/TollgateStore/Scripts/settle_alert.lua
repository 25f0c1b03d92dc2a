-- Notes what has become of an alert of the outbox, if nobody else has had it since.
--
-- ENTRIES_KEY alerts:{channel}  DUE_KEY alerts:{channel}:due  DELIVERED_KEY alerts:{channel}:delivered
-- DEAD_KEY alerts:{channel}:dead
-- Names are those of SettleAlertSignature. Moments are milliseconds since 1970.
--
-- Reply: the outcome.

-- Entries that are forgotten with one that comes, at most: more than come.
local FORGOTTEN_AT_A_TIME = 20

local function forget(key, ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', key, id)
    redis.call('HDEL', KEYS[ENTRIES_KEY], id)
  end
end

-- Puts the alert among those that have ended so, and forgets the old ones of them.
local function end_as(key, kept_since, maximum_count)
  redis.call('ZADD', key, ARGV[NOW], ARGV[ID])
  forget(key, redis.call('ZRANGEBYSCORE', key, '-inf', '(' .. ARGV[kept_since], 'LIMIT', 0, FORGOTTEN_AT_A_TIME))
  local excess = redis.call('ZCARD', key) - ARGV[maximum_count]
  if excess > 0 then forget(key, redis.call('ZRANGE', key, 0, math.min(excess, FORGOTTEN_AT_A_TIME) - 1)) end
end

if ARGV[STATE] == 'replayed' then
  if redis.call('ZREM', KEYS[DEAD_KEY], ARGV[ID]) == 0 then return NOT_OURS end
elseif tonumber(redis.call('ZSCORE', KEYS[DUE_KEY], ARGV[ID]) or -1) ~= tonumber(ARGV[LEASE_END]) then
  return NOT_OURS
end
redis.call('HSET', KEYS[ENTRIES_KEY], ARGV[ID], ARGV[ENTRY])
if ARGV[STATE] == 'retried' or ARGV[STATE] == 'replayed' then
  redis.call('ZADD', KEYS[DUE_KEY], ARGV[DUE], ARGV[ID])
else
  redis.call('ZREM', KEYS[DUE_KEY], ARGV[ID])
  if ARGV[STATE] == 'delivered' then
    end_as(KEYS[DELIVERED_KEY], DELIVERED_SINCE, MAXIMUM_DELIVERED)
  else
    end_as(KEYS[DEAD_KEY], DEAD_SINCE, MAXIMUM_DEAD)
  end
end
return SETTLED
