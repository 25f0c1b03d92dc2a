-- Gives a reservation that has not ended more time. Never less: the usage record tells when to look for leases that have
-- run out.
--
-- KEYS[1] reservations:{user}           KEYS[2] idempotency:{user}:{key}, or KEYS[1] again when there is none
-- ARGV by the names of RenewalArgument.
--
-- Reply: 1 it has more time, 0 it had ended before.

local is_open = 1
if ARGV[MEMBER] ~= '' then
  -- Nothing, if it is not there.
  if redis.call('ZADD', KEYS[1], 'XX', 'INCR', 0, ARGV[MEMBER]) then
    local score = string.gsub(ARGV[LEASE_END], '%D', '')
    redis.call('ZADD', KEYS[1], 'XX', 'GT', score, ARGV[MEMBER])
  else
    is_open = 0
  end
end
if KEYS[2] ~= KEYS[1] then
  local attempt, state, until_then = unpack(redis.call('HMGET', KEYS[2], 'attempt', 'state', 'leaseUntil'))
  if attempt == ARGV[ID] and state == 'open' and (until_then or '') < ARGV[LEASE_END] then
    redis.call('HSET', KEYS[2], 'leaseUntil', ARGV[LEASE_END])
  end
end
return is_open
