-- Gives a reservation that has not ended more time. Never less: the usage record tells when to look for leases that have
-- run out.
--
-- RESERVATIONS_KEY reservations:{user}  CALL_KEY idempotency:{user}:{key}, or the former again when there is none
-- Names are those of RenewalSignature.
--
-- Reply: the outcome.

local outcome = RENEWED
if ARGV[MEMBER] ~= '' then
  -- Nothing, if it is not there.
  if redis.call('ZADD', KEYS[RESERVATIONS_KEY], 'XX', 'INCR', 0, ARGV[MEMBER]) then
    local score = string.gsub(ARGV[LEASE_END], '%D', '')
    redis.call('ZADD', KEYS[RESERVATIONS_KEY], 'XX', 'GT', score, ARGV[MEMBER])
  else
    outcome = ENDED_BEFORE
  end
end
if KEYS[CALL_KEY] ~= KEYS[RESERVATIONS_KEY] then
  local attempt, state, until_then = unpack(redis.call('HMGET', KEYS[CALL_KEY], 'attempt', 'state', 'leaseUntil'))
  if attempt == ARGV[ID] and state == 'open' and (until_then or '') < ARGV[LEASE_END] then
    redis.call('HSET', KEYS[CALL_KEY], 'leaseUntil', ARGV[LEASE_END])
  end
end
return outcome
