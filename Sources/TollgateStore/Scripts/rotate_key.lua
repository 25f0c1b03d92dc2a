-- Gives a key a new secret. The one so far works on until the overlap ends; unless nobody has used it, as when the
-- answer of the last rotation was lost. Then it is forgotten, and the one before it works on.
--
-- change_limit.lua stands before it.
--
-- KEYS[1] key:{user}:{id}
-- KEYS[2] keys:{user}:changes:<minute>  KEYS[3] keys:{user}:changes:<day>
-- ARGV[1] hash of the new secret        ARGV[2] now                          ARGV[3] end of the overlap (ISO 8601)
-- ARGV[4] and [5] the most changes of the minute and of the day
--
-- Reply: outcome (0 rotated, 1 too often in this minute, 2 too often on this day, 3 no such key, 4 expired), then the
-- record as HGETALL gives it.

local ROTATED, UNKNOWN, EXPIRED = 0, 3, 4

local hash, status, expires, used, before, before_until = unpack(
  redis.call('HMGET', KEYS[1], 'hash', 'status', 'expiresAt', 'lastUsedAt', 'previousHash', 'previousUntil'))
if not hash or status ~= 'active' then return { UNKNOWN } end
if expires and expires <= ARGV[2] then return { EXPIRED } end
local reached = change_limit(KEYS[2], ARGV[4], KEYS[3], ARGV[5])
if reached then return { reached } end

local before_works = before and before_until and before_until > ARGV[2]
if before_works and not used then
  if before_until < ARGV[3] then redis.call('HSET', KEYS[1], 'previousUntil', ARGV[3]) end
else
  redis.call('HDEL', KEYS[1], 'lastUsedAt', 'previousUsedAt')
  redis.call('HSET', KEYS[1], 'previousHash', hash, 'previousUntil', ARGV[3])
  if used then redis.call('HSET', KEYS[1], 'previousUsedAt', used) end
end
redis.call('HSET', KEYS[1], 'hash', ARGV[1])
count_change(KEYS[2], KEYS[3])
return { ROTATED, unpack(redis.call('HGETALL', KEYS[1])) }
