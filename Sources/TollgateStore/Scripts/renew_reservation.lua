-- Gives a reservation that has not ended more time. Never less: the usage record tells when to look for leases that have
-- run out.
--
-- KEYS[1] reservations:{user}           KEYS[2] idempotency:{user}:{key}, or KEYS[1] again when there is none
-- ARGV[1] the member of reservations, or '' when there is nothing to give back
-- ARGV[2] its id                        ARGV[3] when its lease ends (ISO 8601)
--
-- Reply: 1 it has more time, 0 it had ended before.

local is_open = 1
if ARGV[1] ~= '' then
  -- Nothing, if it is not there.
  if redis.call('ZADD', KEYS[1], 'XX', 'INCR', 0, ARGV[1]) then
    local score = string.gsub(ARGV[3], '%D', '')
    redis.call('ZADD', KEYS[1], 'XX', 'GT', score, ARGV[1])
  else
    is_open = 0
  end
end
if KEYS[2] ~= KEYS[1] then
  local attempt, state, until_then = unpack(redis.call('HMGET', KEYS[2], 'attempt', 'state', 'leaseUntil'))
  if attempt == ARGV[2] and state == 'open' and (until_then or '') < ARGV[3] then
    redis.call('HSET', KEYS[2], 'leaseUntil', ARGV[3])
  end
end
return is_open
