-- Gives a reservation that has not ended more time.
--
-- KEYS[1] reservations:{user}           KEYS[2] idempotency:{user}:{key}, or KEYS[1] again when there is none
-- ARGV[1] the member of reservations, or '' when there is nothing to give back
-- ARGV[2] its id                        ARGV[3] when its lease ends (ISO 8601)
--
-- Reply: 1.

if ARGV[1] ~= '' then
  local score = string.gsub(ARGV[3], '%D', '')
  redis.call('ZADD', KEYS[1], 'XX', score, ARGV[1])
end
if KEYS[2] ~= KEYS[1] then
  local attempt, state = unpack(redis.call('HMGET', KEYS[2], 'attempt', 'state'))
  if attempt == ARGV[2] and state == 'open' then redis.call('HSET', KEYS[2], 'leaseUntil', ARGV[3]) end
end
return 1
