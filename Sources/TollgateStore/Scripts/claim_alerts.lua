-- Claims alerts of the outbox that are due: nobody else gets them until the lease is over, and then anybody does.
--
-- ENTRIES_KEY alerts:{channel}  DUE_KEY alerts:{channel}:due
-- Names are those of ClaimAlertsSignature. Moments are milliseconds since 1970.
--
-- Reply: the id and the entry of each.

local claimed = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[DUE_KEY], '-inf', ARGV[NOW], 'LIMIT', 0, ARGV[MAXIMUM_COUNT])) do
  local entry = redis.call('HGET', KEYS[ENTRIES_KEY], id)
  if entry then
    redis.call('ZADD', KEYS[DUE_KEY], ARGV[LEASE_END], id)
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = entry
  else
    redis.call('ZREM', KEYS[DUE_KEY], id)
  end
end
return claimed
