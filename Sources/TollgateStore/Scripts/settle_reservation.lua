-- Ends a reservation, once. give_back.lua stands before it.
--
-- KEYS[1] usage:{user}                  KEYS[2] reservations:{user}
-- KEYS[3] idempotency:{user}:{key}, or KEYS[2] again when there is none
-- ARGV[1] the member of reservations    ARGV[2] keep or giveBack
--
-- Reply: 1 ended, 0 it had ended before.

if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end

if ARGV[2] == 'giveBack' then
  give_back(KEYS[1], ARGV[1])
elseif KEYS[3] ~= KEYS[2] and redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('HSET', KEYS[3], 'state', 'kept')
  redis.call('HINCRBY', KEYS[3], 'open', -1)
end
return 1
